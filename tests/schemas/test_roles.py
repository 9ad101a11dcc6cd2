"""Each role against each operation, on both servers: what is refused, the database refuses."""

import numpy as np
import psycopg2
import pymysql
import pytest
from datajoint.errors import DataJointError, LostConnectionError

from pipeline.motion import MotionParams
from populate_workers import queue
from populate_workers.populate import populate
from schemas import accounts, server
from schemas.access import REFUSALS, ROLES, Account, NotAllowed
from schemas.configuration import delete_label, going_with_label, move_label, show_label
from schemas.connection import connect, connect_session, open_connection
from schemas.custom_columns import add_custom_column
from schemas.deletion import delete_params, delete_tasks, doomed_by
from schemas.ingest import Trial, ingest
from schemas.labels import CUSTOM_COLUMN, ROI_TAG_TYPE, STIMULUS_TYPE, add_label, rename_label
from schemas.motion import submit_motion
from schemas.params import add_params
from schemas.roi import submit_segmentation
from schemas.roles import keep_grants
from schemas.sample_removal import going_with_sample, remove_sample
from schemas.samples import SampleChange, add_sample, modify_samples, undo_sample
from schemas.settings import ProjectError

pytestmark = pytest.mark.db
PASSWORD = "correct horse 'battery\\"


def name_of(settings, role):
    return f"{role}.{settings.schema_prefix}"


@pytest.fixture(scope="module")
def people(make_project, address):
    """A project with an account of every role; they go with it."""
    database = make_project(address)
    for role in ROLES:
        accounts.add_member(database, name_of(database.settings, role), role, PASSWORD)
    yield database
    owner = connect(database.settings)
    for member in accounts.members(owner):
        accounts.remove_member(owner, member.name)
    if address is not None:
        for role in ROLES:
            owner.connection.query(f"DROP ROLE `{owner.settings.schema_prefix}{role}`")


@pytest.fixture(scope="module")
def filled(people):
    """Two small recordings of noise; the first is corrected and segmented."""
    database = connect(people.settings)
    for seed, trial in enumerate(("t1", "t2")):
        file = database.settings.roots["data"] / f"{trial}.npy"
        np.save(file, np.random.default_rng(seed).poisson(100, (60, 48, 48)).astype(np.uint16))
        ingest(Trial(animal="m1", session="2026-11-22", trial=trial, rate_hz=30.0), [file])
    add_params(database.motion.MotionParams, "rigid", MotionParams(mode="rigid"))
    first = database.session.Recording & {"trial": "t1"}
    submit_motion(first, "rigid")
    submit_segmentation(first)
    populate(database, watch=lambda outcome: None)
    add_custom_column(database, "dose", "int", 1)
    return database


def as_role(database, role):
    return connect(database.settings, Account(name_of(database.settings, role), PASSWORD))


def counts(database):
    """Return the number of rows of every table, jobs included."""
    schemas = tuple(f"{database.settings.schema_prefix}{name}" for name in database.modules)
    places = ", ".join(["%s"] * len(schemas))
    owner = open_connection(database.settings)
    quote = owner.adapter.quote_identifier
    tables = owner.query(
        "SELECT table_schema, table_name FROM information_schema.tables "
        f"WHERE table_schema IN ({places})",
        args=schemas,
    ).fetchall()
    queries = [
        f"SELECT '{schema}.{table}', COUNT(*) FROM {quote(schema)}.{quote(table)}"
        for schema, table in tables
    ]
    found = dict(owner.query(" UNION ALL ".join(queries)).fetchall())
    owner.close()
    return found


def take_in(database):
    role = database.connection.role
    file = database.settings.roots["data"] / "t2.npy"
    ingest(Trial(animal=f"of {role}", session="2026-11-22", trial="t1", rate_hz=30.0), [file])


def annotate(database):
    role = database.connection.role
    key = {"animal_id": "m1", "session": "2026-11-22", "trial": "t1"}
    database.session.Recording.update1({**key, "comments": f"seen by {role}"})
    database.animal.Animal.update1({"animal_id": "m1", "genotype": "wt", "comments": role})


def move_results(database):
    """Give the results of a task to another one, as nobody ought to."""
    tasks = database.motion.MotionTask.full_table_name
    database.connection.query(f"UPDATE {tasks} SET trial = 't2' WHERE trial = 'none yet'")


def compute(database):
    before = len(database.session.RecordingInfo())
    populate(database, watch=lambda outcome: None)
    assert len(database.session.RecordingInfo()) == before + 1  # of what this role took in


def fail_and_retry(database):
    jobs = database.session.RecordingInfo().jobs
    key = {"animal_id": "m1", "session": "2026-11-22", "trial": "t1"}
    jobs.insert1({**key, "status": "error", "priority": 5})
    assert queue.retry(database) == 1


def delete_results(database):
    delete_tasks(database, database.motion.MotionTask & {"trial": "t1"})


def make_table(database):
    schema = f"{database.settings.schema_prefix}sample"
    quote = database.connection.adapter.quote_identifier
    database.connection.query(f"CREATE TABLE {quote(schema)}.{quote('extra')} (i int PRIMARY KEY)")
    database.connection.query(f"DROP TABLE {quote(schema)}.{quote('extra')}")


def manage_people(database):
    name = f"new.{database.settings.schema_prefix}"
    accounts.add_member(database, name, "viewer", PASSWORD)
    accounts.change_role(database, name, "operator")
    accounts.change_password(database, name, PASSWORD * 2)
    accounts.remove_member(database, name)


def annotate_sample(database):
    role = database.connection.role
    recording = {"animal_id": "m1", "session": "2026-11-22", "trial": "t1"}
    sample_id = add_sample(database, recording, trial_id=role)
    values = {"dose": len(role)}
    change = SampleChange(sample_id=sample_id, comments=role, values=values)
    modify_samples(database, [change])
    undo_sample(database, sample_id)
    owner = connect_session(database.settings)
    shown = going_with_sample(owner, sample_id)
    remove_sample(owner, sample_id, shown=shown)
    owner.connection.close()


def remove_one_sample(database):
    sample = {"animal_id": "m1", "session": "2026-11-22", "trial": "t1", "sample_id": "m1-_-t1"}
    owner = connect_session(database.settings)
    owner.sample.Sample().insert1(sample)
    try:
        shown = going_with_sample(database, "m1-_-t1")
        remove_sample(database, "m1-_-t1", shown=shown)
    finally:
        (owner.sample.Sample() & {"sample_id": "m1-_-t1"}).delete(prompt=False)
        owner.connection.close()


def name_stimuli(database):
    role = database.connection.role
    add_label(database, STIMULUS_TYPE, role)
    rename_label(database, STIMULUS_TYPE, role, f"of {role}")


def configure(database):
    add_custom_column(database, "weight", "float", 20)
    rename_label(database, CUSTOM_COLUMN, "weight", "mass")
    show_label(database, CUSTOM_COLUMN, "mass", visible=False)
    move_label(database, CUSTOM_COLUMN, "mass", 1)
    add_label(database, ROI_TAG_TYPE, "region")
    shown = going_with_label(database, ROI_TAG_TYPE, "region")
    delete_label(database, ROI_TAG_TYPE, "region", shown=shown)


def choose_sample(database):
    role = database.connection.role
    key = (database.roi.Segmentation & {"trial": "t1"}).fetch1("KEY")
    database.sample.Sample.insert1(
        {**{name: key[name] for name in ("animal_id", "session")}, "trial": "t2", "sample_id": role}
    )
    database.sample.Sample.update1(
        {"animal_id": "m1", "session": "2026-11-22", "trial": "t2", "comments": "better"}
    )


def add_set(database):
    role = database.connection.role
    shift_px = ROLES.index(role) + 1
    params = MotionParams(mode="rigid", max_shift_px=(shift_px, shift_px))
    add_params(database.motion.MotionParams, f"of {role}", params)


def submit(database):
    recordings = database.session.Recording & {"trial": "t2"}
    submit_motion(recordings, f"of {database.connection.role}")


OPERATIONS = {
    "read": ("viewer", lambda database: database.roi.Trace.Roi.to_arrays("dff")),
    "read jobs": ("viewer", queue.progress),
    "add parameters": ("analyst", add_set),
    "submit": ("analyst", submit),
    "choose a sample": ("analyst", choose_sample),
    "annotate": ("analyst", annotate),
    "annotate a sample": ("analyst", annotate_sample),
    "name stimuli": ("analyst", name_stimuli),
    "ingest": ("operator", take_in),
    "compute": ("operator", compute),
    "retry": ("operator", fail_and_retry),
    "move results": ("admin", move_results),
    "remove a sample": ("admin", remove_one_sample),
    "configure": ("admin", configure),
    "make a table": ("admin", make_table),
    "manage people": ("admin", manage_people),
    "delete results": ("admin", delete_results),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_it_is_for(filled, role):
    connect(filled.settings).sample.Sample.delete(prompt=False)
    database = as_role(filled, role)
    assert database.connection.role == role
    done = {}
    for name, (_, operate) in OPERATIONS.items():
        before = counts(filled)
        try:
            operate(database)
            done[name] = True
        except NotAllowed as refusal:
            done[name] = False
            assert str(refusal).startswith(
                f"the account {name_of(filled.settings, role)!r} is a"
            ), str(refusal)
            assert "may not" in str(refusal)
            assert str(refusal).count(";") == 1
            assert counts(filled) == before, name
        except ProjectError as error:
            # without its own parameter set, there is nothing that could be submitted
            assert (role, name) == ("viewer", "submit"), error
            done[name] = False

    assert done == {
        name: ROLES.index(role) >= ROLES.index(lowest) for name, (lowest, _) in OPERATIONS.items()
    }


def plain(database, role):
    """Connect as a person with an SQL program does."""
    settings, info = database.settings, database.connection.conn_info
    user = name_of(settings, role)
    if settings.embedded:
        connection = psycopg2.connect(
            host=server.host(settings.folder), port=server.PORT, user=user, dbname="postgres"
        )
    else:
        connection = pymysql.connect(
            host=info["host"], port=info["port"], user=user, password=PASSWORD
        )
    connection.autocommit = True if settings.embedded else connection.autocommit(True)  # noqa: FBT003
    return connection


STATEMENTS = {
    "SELECT * FROM {motion}.motion_task": "viewer",
    "SELECT COUNT(*) FROM {roi}.__trace__roi": "viewer",
    "SELECT status FROM {motion}.{jobs}": "viewer",
    "INSERT INTO {sample}.sample SELECT * FROM {sample}.sample WHERE 1 = 0": "analyst",
    "INSERT INTO {motion}.{params} SELECT * FROM {motion}.{params} WHERE 1 = 0": "analyst",
    "INSERT INTO {roi}.segmentation_task SELECT * FROM {roi}.segmentation_task WHERE 1 = 0": (
        "analyst"
    ),
    "UPDATE {session}.recording SET comments = comments WHERE 1 = 0": "analyst",
    "UPDATE {animal}.animal SET genotype = genotype WHERE 1 = 0": "analyst",
    "INSERT INTO {animal}.animal SELECT * FROM {animal}.animal WHERE 1 = 0": "operator",
    "INSERT INTO {session}.recording__file SELECT * FROM {session}.recording__file WHERE 1 = 0": (
        "operator"
    ),
    "INSERT INTO {roi}.__trace SELECT * FROM {roi}.__trace WHERE 1 = 0": "operator",
    "UPDATE {motion}.{jobs} SET status = status WHERE 1 = 0": "operator",
    "DELETE FROM {motion}.{jobs} WHERE 1 = 0": "operator",
    "UPDATE {motion}.{params} SET params = params WHERE 1 = 0": "admin",
    "UPDATE {motion}.motion_task SET motion_hash = motion_hash WHERE 1 = 0": "admin",
    "UPDATE {animal}.animal SET animal_id = animal_id WHERE 1 = 0": "admin",
    "UPDATE {session}.recording__file SET checksum = checksum WHERE 1 = 0": "admin",
    "UPDATE {roi}.__segmentation SET n_rois = n_rois WHERE 1 = 0": "admin",
    "DELETE FROM {roi}.__trace__roi WHERE 1 = 0": "admin",
    "DELETE FROM {motion}.motion_task WHERE 1 = 0": "admin",
    "DELETE FROM {sample}.sample WHERE 1 = 0": "admin",
    "DELETE FROM {session}.recording WHERE 1 = 0": "admin",
    "INSERT INTO {project}.project SELECT * FROM {project}.project WHERE 1 = 0": "admin",
    "ALTER TABLE {sample}.sample ADD COLUMN mood int": "admin",
    "ALTER TABLE {sample}.sample DROP COLUMN mood": "admin",
    "CREATE SCHEMA {new}": "admin",
    "DROP SCHEMA {doomed}": "admin",
    "CREATE USER {person}": "admin",
    "DROP USER {person}": "admin",
    "DROP TABLE {sample}.sample": None,  # nobody is asked to try what an admin may
}
FORBIDDEN_TO_ALL = {
    "embedded": (
        "ALTER ROLE postgres PASSWORD NULL",
        "COPY (SELECT 1) TO '/tmp/mesmerize-stolen'",
        "ALTER SYSTEM SET log_statement = 'all'",
        "SELECT * FROM pg_authid",
        "CREATE TABLE public.mine (i int)",
    ),
    "mysql": (
        "ALTER USER root@localhost ACCOUNT LOCK",
        "SELECT 1 INTO OUTFILE '/tmp/mesmerize-stolen'",
        "SET GLOBAL max_connections = 1",
        "SELECT authentication_string FROM mysql.user",
        "CREATE DATABASE of_somebody_else",
        "DROP DATABASE sys",
    ),
}


def is_allowed(connection, statement):
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except (psycopg2.errors.InsufficientPrivilege, pymysql.err.OperationalError) as error:
        assert getattr(error, "pgcode", None) == "42501" or error.args[0] in REFUSALS, error
        return False
    except pymysql.err.ProgrammingError as error:
        assert error.args[0] in REFUSALS, error
        return False
    return True


@pytest.mark.parametrize("role", ROLES)
def test_sql_obeys_the_same_rules(filled, role):
    embedded = filled.settings.embedded
    quote = filled.connection.adapter.quote_identifier
    names = {name: f"{filled.settings.schema_prefix}{name}" for name in (*filled.modules, "new")}
    names |= {"params": quote("#motion_params"), "jobs": quote("~~motion_correction")}
    names |= {"person": f"{filled.settings.schema_prefix}person"}
    names["doomed"] = names["new" if role == "admin" else "sample"]
    connection = plain(filled, role)
    allowed = {
        statement: is_allowed(connection, statement.format(**names))
        for statement, lowest in STATEMENTS.items()
        if lowest is not None or role != "admin"
    }
    stolen = [
        statement
        for statement in FORBIDDEN_TO_ALL["embedded" if embedded else "mysql"]
        if is_allowed(connection, statement)
    ]
    connection.close()

    assert stolen == []
    assert allowed == {
        statement: lowest is not None and ROLES.index(role) >= ROLES.index(lowest)
        for statement, lowest in STATEMENTS.items()
        if statement in allowed
    }


@pytest.mark.parametrize("role", ["viewer", "analyst", "operator"])
def test_a_cascade_is_refused_whole_and_before_it_begins(filled, role):
    """Who may delete jobs, but no results, deletes neither."""
    owner = connect(filled.settings)
    if not owner.motion.MotionTask & {"trial": "t2"}:
        submit_motion(owner.session.Recording & {"trial": "t2"}, "rigid")
    before = counts(filled)
    files = sorted(filled.settings.store.rglob("*"))
    database = as_role(filled, role)

    with pytest.raises(NotAllowed, match=f"is an? {role} and may not delete rows of the table"):
        doomed_by(database, database.motion.MotionTask & {"trial": "t2"})
    with pytest.raises(NotAllowed, match="may not delete rows of the table"):
        delete_tasks(database, database.motion.MotionTask & {"trial": "t2"})
    with pytest.raises(NotAllowed, match="may not delete rows of the table '#motion_params'"):
        delete_params(database.motion.MotionParams, database.motion.MotionTask, "default")

    assert counts(filled) == before
    assert sorted(filled.settings.store.rglob("*")) == files


def test_a_cascade_into_a_schema_that_is_hidden_is_refused_whole(filled):
    """Somebody keeps a table of their own beside the project, which its admins do not see."""
    owner = connect(filled.settings)
    submit_motion(owner.session.Recording & {"trial": "t2"}, "rigid")
    quote = owner.connection.adapter.quote_identifier
    hidden = quote(f"hidden_{owner.settings.schema_prefix}")
    key = ", ".join(owner.motion.MotionTask.primary_key)
    owner.connection.query(f"CREATE SCHEMA {hidden}")
    try:
        owner.connection.query(
            f"CREATE TABLE {hidden}.mine (animal_id varchar(64), session varchar(16), "
            f"trial varchar(64), motion_hash char(32), FOREIGN KEY ({key}) "
            f"REFERENCES {owner.motion.MotionTask.full_table_name} ({key}))"
        )
        owner.connection.query(
            f"INSERT INTO {hidden}.mine SELECT {key} FROM "
            f"{owner.motion.MotionTask.full_table_name} WHERE trial = 't2'"
        )
        before = counts(filled)
        database = as_role(filled, "admin")

        with pytest.raises(DataJointError):
            delete_tasks(database, database.motion.MotionTask & {"trial": "t2"})

        assert counts(filled) == before
    finally:
        owner = connect(filled.settings)
        owner.connection.query(f"DROP TABLE {hidden}.mine")
        owner.connection.query(f"DROP SCHEMA {hidden}")


def test_tables_that_come_later_have_the_same_rules(filled):
    admin = as_role(filled, "admin")
    jobs = admin.session.RecordingInfo().jobs
    jobs.drop()
    with pytest.raises(ProjectError, match="an admin makes them by calling once: mesmerize status"):
        as_role(filled, "operator")

    as_role(filled, "admin")

    operator = as_role(filled, "operator")
    assert operator.session.RecordingInfo().jobs.delete_quick(get_count=True) == 0
    viewer = as_role(filled, "viewer")
    assert len(viewer.session.RecordingInfo().jobs) == 0
    with pytest.raises(NotAllowed, match="may not delete rows of the table '~~recording_info'"):
        viewer.session.RecordingInfo().jobs.delete_quick()


def test_rights_that_somebody_added_are_taken_back(filled):
    owner = connect(filled.settings)
    quote = owner.connection.adapter.quote_identifier
    analyst = quote(f"{owner.settings.schema_prefix}analyst")
    owner.connection.query(
        f"GRANT DELETE ON {owner.motion.MotionTask.full_table_name} TO {analyst}"
    )
    (as_role(filled, "analyst").motion.MotionTask & False).delete_quick()

    assert keep_grants(connect(filled.settings))

    with pytest.raises(NotAllowed):
        (as_role(filled, "analyst").motion.MotionTask & False).delete_quick()


def test_accounts_are_listed_changed_and_removed(people):
    owner = connect(people.settings)
    name = f"vera.{people.settings.schema_prefix}"
    assert accounts.add_member(owner, name, "viewer", PASSWORD)
    assert accounts.find_member(owner, name).role == "viewer"
    vera = Account(name, PASSWORD)
    session = connect_session(people.settings, vera)
    assert session.connection.role == "viewer"

    with pytest.raises(ProjectError, match="is a viewer already; give it another role with"):
        accounts.add_member(owner, name, "analyst", PASSWORD)
    accounts.change_role(owner, name, "operator")
    assert connect_session(people.settings, vera).connection.role == "operator"
    accounts.change_role(owner, name, "admin")
    admin = connect_session(people.settings, vera)
    assert admin.connection.role == "admin"
    admin.connection.close()
    accounts.change_role(owner, name, "viewer")
    accounts.change_password(owner, name, "another password")
    if not people.settings.embedded:
        with pytest.raises(ProjectError, match="cannot be reached: .*Access denied"):
            connect_session(people.settings, vera)

    assert accounts.remove_member(owner, name)
    assert name not in {member.name for member in accounts.members(owner)}
    with pytest.raises((NotAllowed, LostConnectionError)):  # also in a session that is still open
        session.connection.query(f"SELECT * FROM {owner.animal.Animal.full_table_name}")
    with pytest.raises(ProjectError, match="has no role in this project; the accounts are: "):
        accounts.remove_member(owner, name)


def test_an_account_changes_its_own_password_and_no_other(people):
    owner = connect(people.settings)
    name = f"vera.{people.settings.schema_prefix}"
    accounts.add_member(owner, name, "viewer", PASSWORD)
    try:
        session = connect_session(people.settings, Account(name, PASSWORD))
        accounts.change_password(session, None, "another password")
        connect_session(people.settings, Account(name, "another password"))
        for person in (name_of(people.settings, "analyst"), name_of(people.settings, "admin")):
            with pytest.raises(NotAllowed, match="is a viewer and may not manage accounts"):
                accounts.change_password(session, person, PASSWORD)
    finally:
        accounts.remove_member(owner, name)


def test_an_account_that_another_project_uses_stays_on_the_server(people, make_project, address):
    name = f"vera.{people.settings.schema_prefix}"
    owner = connect(people.settings)
    accounts.add_member(owner, name, "viewer", PASSWORD)
    other = make_project(address)
    try:
        if people.settings.embedded:
            assert accounts.members(other) == []  # a server of its own
            return
        assert not accounts.add_member(other, name, "analyst", "is not used")
        assert connect_session(people.settings, Account(name, PASSWORD)).connection.role == "viewer"
        assert connect_session(other.settings, Account(name, PASSWORD)).connection.role == "analyst"
        assert not accounts.remove_member(other, name)
        assert connect_session(people.settings, Account(name, PASSWORD)).connection.role == "viewer"
        with pytest.raises(ProjectError):
            connect_session(other.settings, Account(name, PASSWORD))
    finally:
        accounts.remove_member(connect(people.settings), name)
        if address is not None:
            for role in ROLES:
                owner.connection.query(f"DROP ROLE IF EXISTS {other.settings.schema_prefix}{role}")


@pytest.mark.parametrize(
    ("name", "role", "password", "message"),
    [
        ("vera", "boss", PASSWORD, "must be one of viewer, analyst, operator, admin; got 'boss'"),
        ("root", "viewer", PASSWORD, "'root' is a name of the server's own"),
        ("pg_vera", "viewer", PASSWORD, "name of the server's own"),
        ("v" * 64, "viewer", PASSWORD, "must be 1 to"),
        ("vera'; DROP", "viewer", PASSWORD, "letters, digits and _ . -"),
        ("", "viewer", PASSWORD, "letters, digits"),
        ("vera", "viewer", "short", "a password needs 8 characters or more; this one has 5"),
    ],
)
def test_what_cannot_be_an_account_is_refused(people, name, role, password, message):
    owner = connect(people.settings)
    before = accounts.members(owner)

    with pytest.raises(ProjectError, match=message):
        accounts.add_member(owner, name, role, password)

    assert accounts.members(owner) == before


def test_an_admin_does_not_lock_themselves_out(people):
    admin = as_role(people, "admin")
    name = name_of(people.settings, "admin")

    for change in (
        lambda: accounts.remove_member(admin, name),
        lambda: accounts.change_role(admin, name, "viewer"),
    ):
        with pytest.raises(ProjectError, match="is the account you are connected with"):
            change()
