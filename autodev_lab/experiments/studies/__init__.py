"""Studies: experiments that measure a part of the lab by itself, without a team and without a stream of tasks."""
