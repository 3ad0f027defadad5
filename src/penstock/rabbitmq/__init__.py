"""Jobs between machines: what of penstock knows RabbitMQ."""
