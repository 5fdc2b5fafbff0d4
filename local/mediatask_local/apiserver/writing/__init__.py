"""Create, update, patch, apply and delete: from a decoded body to the object that is stored."""
