//! News of feeds between processes.

use std::time::Duration;

use dakghar_adapters::redis::{RedisConfig, RedisNews};
use dakghar_core::domain::feed::{FeedEnd, News, TakenMessage};
use dakghar_core::domain::{MessageId, MessageKey, Place, Wamid};
use dakghar_core::ports::FeedNews as _;
use dakghar_testkit::require_services;
use dakghar_testkit::samples::tenant_id;
use dakghar_testkit::servers::Redis;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{PATIENCE, patient};

fn end(last: u64) -> FeedEnd {
    FeedEnd {
        tenant_id: tenant_id(),
        last: Place::new(last),
    }
}

async fn next(news: &RedisNews) -> News {
    timeout(PATIENCE, news.next()).await.expect("news")
}

/// Two processes that hear each other.
async fn two(redis: &RedisConfig) -> (RedisNews, RedisNews) {
    let (one, other) = (RedisNews::start(redis.clone()), RedisNews::start(redis.clone()));
    for news in [&one, &other] {
        assert_eq!(next(news).await, News::Missed, "what was told before it listened");
        assert!(news.is_open());
    }
    (one, other)
}

/// Tells until the other one has heard it: the connection on which it tells may come later than the other's.
async fn until_heard(teller: &RedisNews, hearer: &RedisNews, end: FeedEnd) {
    loop {
        teller.tell(&[end]);
        match timeout(Duration::from_millis(500), hearer.next()).await {
            Ok(News::Ends(ends)) if ends.contains(&end) => return,
            _ => {}
        }
    }
}

/// Two processes of which the second has heard the first.
async fn two_in_touch(redis: &RedisConfig) -> (RedisNews, RedisNews) {
    let (one, other) = two(redis).await;
    timeout(PATIENCE, until_heard(&one, &other, end(1)))
        .await
        .expect("heard");
    (one, other)
}

#[tokio::test]
async fn what_one_process_tells_the_others_hear() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let (one, other) = two(&patient(&redis.url())).await;
    for last in 1..4 {
        let end = end(last);
        timeout(PATIENCE, until_heard(&one, &other, end)).await.expect("heard");
    }
    let many: Vec<FeedEnd> = (1..1_200).map(end).collect();
    one.tell(&many);
    let mut missing: Vec<FeedEnd> = many;
    while !missing.is_empty() {
        let News::Ends(ends) = next(&other).await else {
            panic!("nothing was lost")
        };
        missing.retain(|end| !ends.contains(end));
    }
}

#[tokio::test]
async fn all_processes_hear_whose_endpoints_changed_the_one_that_told_it_too() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let (one, other) = two_in_touch(&patient(&redis.url())).await;
    let tenant = tenant_id();
    one.tell_endpoints(&tenant);
    for news in [&one, &other] {
        let told = async { while news.next().await != News::Endpoints(vec![tenant]) {} };
        timeout(PATIENCE, told).await.expect("heard");
    }
}

#[tokio::test]
async fn what_has_arrived_at_one_process_the_others_hear() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let (one, other) = two_in_touch(&patient(&redis.url())).await;
    one.tell_arrived();
    let told = async { while other.next().await != News::Arrived {} };
    timeout(PATIENCE, told).await.expect("heard");
}

#[tokio::test]
async fn what_meta_has_taken_from_one_process_the_others_hear() {
    require_services!(Redis);
    let redis = Redis::start().await;
    let (one, other) = two_in_touch(&patient(&redis.url())).await;
    let all: Vec<TakenMessage> = (1..700)
        .map(|number: u32| TakenMessage {
            key: MessageKey {
                tenant_id: tenant_id(),
                message_id: MessageId::from_uuid(Uuid::from_u128(number.into())),
            },
            wamid: Wamid::parse(&format!("wamid.{number}")).expect("a wamid"),
        })
        .collect();
    for taken in &all {
        one.tell_taken(taken.clone());
    }
    let mut heard = Vec::new();
    let hearing = async {
        while heard.len() < all.len() {
            if let News::Taken(taken) = other.next().await {
                heard.extend(taken);
            }
        }
    };
    timeout(PATIENCE, hearing).await.expect("heard");
    assert_eq!(heard, all, "each once, in their order");
}

#[tokio::test]
async fn after_a_restart_of_redis_something_may_have_been_missed_and_news_come_again() {
    require_services!(Redis);
    let mut redis = Redis::start().await;
    let (one, other) = two(&RedisConfig::from_url(&redis.url()).unwrap()).await;
    redis.kill();
    timeout(PATIENCE, async {
        while other.is_open() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it notices");
    one.tell(&[end(1)]);
    redis.restart().await;
    loop {
        if next(&other).await == News::Missed {
            break;
        }
    }
    assert!(other.is_open());
    timeout(PATIENCE, until_heard(&one, &other, end(2)))
        .await
        .expect("heard");
}
