"""What runs beyond the wall: stdlib and pytest only, no import from the rest of the lab.

The nursery loads these modules under a name of their own, so that neither the lab nor anything it imports is in
memory where candidate code runs.
"""
