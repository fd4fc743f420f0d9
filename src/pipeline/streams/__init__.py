"""The two jobs: `deliver` sends what changed, `drain` sends what had to wait."""
