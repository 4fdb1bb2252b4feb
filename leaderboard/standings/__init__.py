"""From records to standings: who is compared with whom, and what is found, a table and over tracks."""
