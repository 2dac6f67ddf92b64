"""Makes an account's last disinfection as long as one likes: as many records as a million files would have left, written
into jobd's database while jobd is stopped."""

import contextlib
import os
import sqlite3

from client import check_records

STEP, DONE = 0, 2  # RecordType of jobs/shared/vocabulary.h
DELETED, SUCCESS = 0, 6  # RecordState


def plant(service, account, records):
    client = service.client(account)
    check_records(client.disinfect({account.path("nothing"): "ignore"}))
    service.stop("jobd")
    _replace_records(service, _task_of(service, account), account.home, records)
    service.start("jobd")
    newest = client.call("check_disinfection_status", {"last_id": records - 5})
    assert [record["id"] for record in newest["details"]] == list(range(records - 4, records + 1)), newest
    assert newest["status"] == "done", newest


def _database(service):
    state = service.path("state")
    files = [name for name in os.listdir(state) if not name.endswith(("-wal", "-shm"))]
    return sqlite3.connect(os.path.join(state, next(name for name in files if _is_database(os.path.join(state, name)))))


def _is_database(path):
    with open(path, "rb") as file:
        return file.read(15) == b"SQLite format 3"


def _task_of(service, account):
    with contextlib.closing(_database(service)) as database:
        return database.execute("SELECT task.id FROM task JOIN account ON account.id = task.account WHERE account.uid = ?"
                                " AND kind = 1 ORDER BY task.id DESC LIMIT 1", (account.uid,)).fetchone()[0]


def _replace_records(service, task, home, records):
    # The last one to close it leaves no journal behind, which would be root's.
    with contextlib.closing(_database(service)) as database, database:
        database.execute("DELETE FROM record WHERE task = ?", (task,))
        database.execute("WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?) "
                         "INSERT INTO record(task, id, type, state, file, message) "
                         "SELECT ?, n, ?, ?, CAST(? || '/public_html/file-' || n || '.php' AS BLOB), x'' FROM number",
                         (records - 1, task, STEP, DELETED, home))
        database.execute("INSERT INTO record(task, id, type, state, file, message) VALUES(?, ?, ?, ?, x'', x'')",
                         (task, records, DONE, SUCCESS))
        database.execute("UPDATE task SET last_record = ?, log_pending = 0 WHERE id = ?", (records, task))
