//! Runs a MongoDB and a Redis server for a developer: `make services`. Their data is gone when they end.
#![expect(clippy::print_stdout, reason = "a command for a terminal")]

use dakghar_testkit::servers::{Mongo, Redis};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let (mongo, redis) = tokio::join!(Mongo::start(), Redis::start_with(&["--appendonly", "yes"]));
    println!("MongoDB and Redis are running; Ctrl-C ends them and deletes their data. In another terminal:\n");
    println!("  export MONGO_URI='{}'", mongo.uri_of("dakghar"));
    println!("  export REDIS_URL='{}'", redis.url());
    println!("  export MASTER_KEY='a-key-of-32-characters-for-trying'");
    println!("  make run\n");
    tokio::signal::ctrl_c().await
}
