"""User databases for tests: each with users whom a test adds and takes away, and that it
can take down and bring back."""

import base64
import hashlib
import hmac
import pathlib
import sqlite3
import tempfile
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import crypt

COLUMNS = ["password", "scram_sha_256", "groups", "role", "account"]
TABLE = ("CREATE TABLE people (name text PRIMARY KEY, "
         + ", ".join(f"{c} text" for c in COLUMNS) + ")")


def hashed(password):
    return crypt.crypt(password, "$y$j9T$mailstileTestSalt./$")


def scram_keys(password, salt=b"0123456789abcdef", iterations=4096):
    """As PostgreSQL and RFC 5803 write them."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)

    def mac(text):
        return hmac.new(salted, text, "sha256").digest()

    def b64(data):
        return base64.b64encode(data).decode()
    stored = hashlib.sha256(mac(b"Client Key")).digest()
    return (f"SCRAM-SHA-256${iterations}:{b64(salt)}"
            f"${b64(stored)}:{b64(mac(b'Server Key'))}")


def configured(*blocks):
    """The databases in mailstile.yaml, in that order."""
    def change(text):
        assert text.count("\ndatabases: []\n") == 1
        return text.replace("\ndatabases: []\n", "\ndatabases:\n" + "".join(blocks))
    return change


class Sqlite:
    mark = "?"

    def __init__(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="mailstile-userdb-")
        self.path = pathlib.Path(self.tmp.name) / "people.db"
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.sql(TABLE)

    def close(self):
        self.db.close()
        self.tmp.cleanup()

    def block(self, query=None, name="people", more="    admins: true\n"):
        query = query or f"SELECT {', '.join(COLUMNS)} FROM people WHERE name = ?"
        return (f"  - name: {name}\n    type: sqlite\n    file: \"{self.path}\"\n"
                f"    query: \"{query}\"\n{more}")

    def sql(self, text, *values):
        return self.db.execute(text, values).fetchall()

    def put(self, name, password=None, **columns):
        row = dict.fromkeys(COLUMNS) | columns
        if password is not None:
            row["password"] = hashed(password)
        marks = ", ".join([self.mark] * (len(COLUMNS) + 1))
        self.drop(name)
        self.sql(f"INSERT INTO people VALUES ({marks})", name, *row.values())

    def drop(self, name):
        self.sql(f"DELETE FROM people WHERE name = {self.mark}", name)

    def down(self):
        self.path.rename(self.path.with_suffix(".away"))

    def up(self):
        self.path.with_suffix(".away").rename(self.path)
