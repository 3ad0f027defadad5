"""Topics: a station publishes the weather of many cities, and each client hears of those it asked for."""

import random
import sys
import time
from contextlib import suppress

from penstock.patterns import Publisher, Subscriber

CITIES = ("fr.paris", "fr.lyon", "no.oslo", "no.bergen")


def station(endpoint: str = "ipc://weather.sock") -> None:
    """Publish the weather of some city, again and again."""
    with Publisher(endpoint) as publisher, suppress(KeyboardInterrupt):
        while True:
            publisher.send(f"weather.{random.choice(CITIES)}", {"celsius": random.randint(-10, 30)})
            time.sleep(0.01)


def client(endpoint: str = "ipc://weather.sock", topics: str = "weather.no.*", count: str = "5") -> None:
    """Hear of the places asked for."""
    with Subscriber(endpoint, topics=topics) as subscriber:
        for _ in range(int(count)):
            topic, weather = subscriber.receive()
            print(topic, weather["celsius"])


if __name__ == "__main__":
    role, *words = sys.argv[1:] or sys.exit("say which role: station or client")
    {"station": station, "client": client}[role](*words)
