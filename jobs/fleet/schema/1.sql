-- One row: which version of this schema it is, and a number that changes when machines or tasks do.
CREATE TABLE fleet (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    changes bigint NOT NULL DEFAULT 0
);
INSERT INTO fleet(version) VALUES (1);

-- A machine that is removed keeps its row, for what was found there.
CREATE TABLE machine (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL UNIQUE,              -- made here: what clients know it by
    name text NOT NULL,
    url text NOT NULL,
    added timestamptz NOT NULL DEFAULT now(),
    removed timestamptz,
    reinstalled timestamptz,
    seen timestamptz,                       -- when it last answered as it should
    internet text NOT NULL DEFAULT '',      -- addresses, as it says itself
    intranet text NOT NULL DEFAULT '',
    problem text NOT NULL DEFAULT '',       -- a sentence for the administrator
    problem_since timestamptz
);
CREATE UNIQUE INDEX machine_name ON machine(name) WHERE removed IS NULL;

-- Each installation of the scanner says who it is. A machine has another one after it was installed anew.
CREATE TABLE installation (
    uuid uuid PRIMARY KEY,
    machine integer NOT NULL REFERENCES machine,
    id integer GENERATED ALWAYS AS IDENTITY UNIQUE,   -- grows: the latest is a machine's present one
    seen timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX installation_machine ON installation(machine, id);

-- A scan of all machines; one at a time is open.
CREATE TABLE task (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{24}0{8}$'),
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    asked_by text NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    deadline timestamptz NOT NULL,
    ended timestamptz,
    whole boolean                            -- each machine completed it; null until it has ended
);
CREATE UNIQUE INDEX one_open_task ON task((true)) WHERE ended IS NULL;

-- One machine's part. The numbers are what the machine says; from state 100 on nothing changes.
CREATE TABLE subtask (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task text NOT NULL REFERENCES task ON DELETE CASCADE,
    machine integer NOT NULL REFERENCES machine,
    before text,                             -- the machine's latest scan when it was first ordered; null: not ordered yet
    installation uuid,
    remote_task text,                        -- the machine's own id of the scan
    state smallint NOT NULL DEFAULT 0 CHECK (state IN (0, 20, 50, 100)),
    result text CHECK (result IN ('ok', 'failed', 'offline', 'refused')),
    remark text NOT NULL DEFAULT '',         -- for the administrator: why it did not begin, or what is not here
    remote_status smallint NOT NULL DEFAULT 0,
    percent smallint NOT NULL DEFAULT 0,
    infected bigint NOT NULL DEFAULT 0,
    risk smallint NOT NULL DEFAULT 0,
    completed boolean NOT NULL DEFAULT false,
    safe boolean NOT NULL DEFAULT false,
    findings bigint NOT NULL DEFAULT 0,      -- rows of finding
    finding_bytes bigint NOT NULL DEFAULT 0, -- of their texts
    collected boolean NOT NULL DEFAULT false,
    updated timestamptz NOT NULL DEFAULT now(),
    UNIQUE (task, machine),
    CHECK ((state = 100) = (result IS NOT NULL))
);
CREATE INDEX open_subtask ON subtask(machine) WHERE state < 100;

-- The machine numbers what it finds (event): the same find again changes nothing.
CREATE TABLE finding (
    subtask bigint NOT NULL REFERENCES subtask ON DELETE CASCADE,
    event bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    found_ms bigint NOT NULL,
    signature text NOT NULL,
    path bytea NOT NULL,
    PRIMARY KEY (subtask, event)
);
