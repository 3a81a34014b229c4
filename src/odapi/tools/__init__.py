"""Dataset pipelines on Apache Beam, for one or many machines (`odapi[beam]`)."""
