//! What an IoTDA instance answers.

use std::sync::LazyLock;

use certferry::api::iotda::IotdaCertificate;
use certferry::engine::clock::Clock;
use certferry::engine::{Freshness, Goal, Next, Provider, Step};
use certferry::providers::huawei::iotda::Iotda;
use certferry::source::Fetched;
use certferry::source::account::{Account, Cloud};
use serde_json::json;

use crate::cloud::{Reply, wait};
use crate::hub::now;
use crate::{huawei, plain};

type Desired = <Iotda as Provider>::Desired;

/// A CA that the corpus has too, as text and by its face.
const CA: &str = include_str!("../../data/pki/rsa-2048.pem");

static PRESENT: LazyLock<Goal<Desired>> = LazyLock::new(|| {
    let desired = Iotda::desired(&resource(), &Fetched::default(), now());
    Goal::Present(desired.expect("the certificate is good"))
});

/// A record says that an upload was about to be made.
fn resource() -> IotdaCertificate {
    let manifest = json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "IotdaCertificate",
        "metadata": { "name": "ca", "namespace": "devices", "uid": "uid-1" },
        "spec": {
            "accountRef": { "kind": "CloudAccount", "name": "huawei" },
            "iotda": { "region": "cn-north-4", "projectId": huawei::PROJECT },
            "source": { "inline": CA },
        },
    });
    serde_json::from_value(manifest).expect("it has the shape of its kind")
}

/// The same body answers every read; no record says that anything is ours.
pub fn contract(input: &[u8]) {
    let cloud = huawei::cloud(Reply::new(200, input));
    let account = Account {
        id: huawei::id(),
        cloud: Cloud::Huawei(Box::new(huawei::account())),
        allowed_targets: None,
    };
    let root = resource();
    let instance = wait(Iotda::connect(&cloud, &account, &root, &Clock::fixed(now())));
    let instance = instance.expect("the account is good");
    for goal in [&*PRESENT, &Goal::Absent] {
        let seen = match wait(instance.observe(&root, goal, Freshness::Live)) {
            Ok(seen) => seen,
            Err(error) => {
                plain::text(&error.message, input, &[]);
                continue;
            }
        };
        match (goal, Iotda::next(goal, &seen)) {
            (Goal::Present(_), Next::Step(step)) => {
                assert_eq!(step.name(), "Upload", "of what is not ours");
                let ids = step.known_ids().expect("of an upload");
                assert!(ids.len() <= 1000 && ids.iter().all(|it| (1..=36).contains(&it.len())), "{ids:?}");
            }
            (Goal::Absent, Next::Step(step)) => panic!("{} of what is not ours", step.name()),
            (_, Next::Done) => {}
            (_, Next::Wait { message, .. } | Next::Await { message, .. }) => {
                plain::text(&message, input, &[])
            }
            (_, Next::Stuck { message, .. }) => assert!(message.len() <= 256, "{message}"),
        }
        let Goal::Present(desired) = goal else { continue };
        if let Some(facts) = Iotda::facts(desired, &seen) {
            let id = facts.remote.id;
            assert!((1..=36).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
            assert!(facts.retiring.is_empty() && facts.verification_code.is_none());
        }
    }
}
