"""What runs beside the plugin: inside the container, or in a child process of the author's Python.

Nothing here is imported by the host. It may import ``engine`` and ``sandbox.protocol`` and the standard library;
third-party packages only inside the stages, after the fork that will run plugin code.
"""
