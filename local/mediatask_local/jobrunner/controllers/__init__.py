"""The Job controller: pods for Jobs, and the status of Jobs from their pods."""
