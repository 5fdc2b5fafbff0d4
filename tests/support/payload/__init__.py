"""A real PayloadCMS for tests, installed from npm into `build/payload` and run by Node."""
