"""`syncclient` as it is, but for its patience: it gives up within seconds, not minutes."""

from syncclient import connection

SILENCE_S = 2.0

if __name__ == "__main__":
    connection.SILENCE_S = SILENCE_S
    from syncclient.cli import main

    main()
