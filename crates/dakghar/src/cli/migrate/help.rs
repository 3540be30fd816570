//! The long help of `dakghar migrate`.

/// The text after the options. A paragraph is one line, because clap wraps it to the width of the terminal.
pub(super) const AFTER: &str = "\
Before:
  1. Have a MongoDB replica set and a Redis server ready, and set MONGO_URI and REDIS_URL (or REDIS_HOST and \
REDIS_PORT). The database must be empty; collections of other programs in it do not matter.
  2. Set MASTER_KEY to the key that the embedded installation runs with: it opens access tokens and recognises API \
keys, so the new installation needs the very same. One that was generated is in the folder: \
MASTER_KEY_FILE=./data/master_key
  3. Stop the embedded server, and every Dakghar process on the target.

  4. Let redrives of dead letters finish, or cancel them: they stay behind, and so does the list of those that are over. \
Let erasures of people finish; their list stays behind, too. Let signups finish or stop: their list stays behind, and one \
that has stopped must be begun again with a new code. Let departures of tenants end, or call them off.

While it runs:
  The folder is locked: no server starts on it, and no command changes it. Progress goes to standard error, as a bar \
on a terminal, and as a line now and then elsewhere. How far it has come is kept in the target, in the collection \
migrations. While that says that it is not finished, `dakghar serve`, `api` and `worker` refuse to start there; one \
that was running before reports not ready and sends nothing.

  A run that was ended leaves the embedded installation as it was, and it may be served again. What it holds is then \
no longer what was copied, so the next run asks for --start-over.

After:
  A file MIGRATED in the folder keeps servers and commands from using it by accident. Queued messages are sent by the \
new installation, each once. A message whose call was under way when the old server ended waits for the end of its \
lease and then, as always, for its status webhook.

  Set MONGO_URI, REDIS_URL, MASTER_KEY and, if it was generated, VERIFY_TOKEN in every new process. Start `dakghar \
serve`, or `dakghar api` and `dakghar worker`. Let the URL that Meta calls lead there.

Going back:
  Possible until the new installation has sent, accepted or received something: what it has sent would be sent again, \
and what it has received would be missing. Stop all of its processes for good, delete the file MIGRATED, and start \
the old server as before.

Files:
  DATA_DIR/dakghar.sqlite3   the embedded installation
  DATA_DIR/master_key        its master key, if that was generated
  DATA_DIR/verify_token      its verify token, if that was generated
  DATA_DIR/MIGRATED          where it moved to, and how to go back

Exit status:
  0   the copy is complete and verified; with --dry-run: nothing stands in the way
  1   it did not begin or was not finished; standard error says why and what to do
  64  wrong usage or settings

Examples:
  export MONGO_URI='mongodb://mongo-1,mongo-2/dakghar?replicaSet=rs0'
  export REDIS_URL=redis://redis:6379 MASTER_KEY_FILE=./data/master_key
  dakghar migrate --from-embedded ./data --dry-run
  dakghar migrate --from-embedded ./data && dakghar serve";
