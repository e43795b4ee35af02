"""Jobs: who may run when, how failures, suspension and termination are dealt with."""
