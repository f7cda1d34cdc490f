"""What a run directory says: frames, statistics, claims and figures. Reads run directories only."""
