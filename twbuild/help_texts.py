"""What `--help` says below the options: examples, and the exit codes."""

from twbuild.durations import DURATION_FORMS
from twbuild.outcome import ExitCode

_EXIT_CODES = "\n".join(f"{code.value:>3}  {code.meaning}" for code in ExitCode)

FIRST_STEPS = f"""First steps:

  twbuild sandbox
  twbuild wait my-service ZB... && ./deploy.sh

The sandbox needs no account.
Credentials: TWILIO_API_KEY and TWILIO_API_SECRET, or a twilio-cli profile.

Exit codes:

{_EXIT_CODES}"""
ALL_CODES = "All: twbuild --help."
WAIT_EXAMPLES = f"""Examples:

  twbuild wait my-service ZB... && ./deploy.sh
  twbuild wait -t 30m my-service ZB... ZB...
  twbuild wait -p dev my-service

DURATION: {DURATION_FORMS}.
Exit codes: 0 completed, 1 failed, 124 timeout. {ALL_CODES}"""
STATUS_EXAMPLES = f"""Examples:

  twbuild status my-service ZB...
  twbuild status --json my-service

Exit codes: 0 completed, 1 failed, 8 still building. {ALL_CODES}"""
SANDBOX_EXAMPLES = f"""Examples:

  twbuild sandbox
  twbuild sandbox bash
  twbuild sandbox --outcome failed git push --dry-run

DURATION: {DURATION_FORMS}.
Exit codes: COMMAND's own; 126 not executable, 127 not found."""
