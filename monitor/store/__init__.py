"""The database: journal, its fold, observations, deliveries. The only room that speaks SQL."""
