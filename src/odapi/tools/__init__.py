"""What outgrows one machine: pipelines of Apache Beam, an extra (`odapi[beam]`)."""
