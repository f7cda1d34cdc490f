"""Teams in virtual time whose work is waiting as long as real work took: what the studies of coordination run.

`work` says what tasks ask of a team, `layout` who does what, `server` and `wakeups` what talking costs, `decentralised`
and `orchestrated` are the teams, `trial` is one run of one of them.
"""
