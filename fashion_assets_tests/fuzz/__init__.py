"""What takes bytes that others wrote, as functions of bytes: hypothesis and atheris drive the same ones."""
