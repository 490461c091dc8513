"""What a plugin tried: the inner filter that reports it, and what is made of the reports.

The engine's profile (``sandbox.seccomp``) lets some calls pass that nobody here may make, so that a second filter,
which the guest's worker installs before any code of a plugin or a dependency runs, can refuse and report them. A
call that the first one refuses is refused in silence: the kernel takes the strictest answer, and there an error
number stands above a notification (seccomp(2)).
"""
