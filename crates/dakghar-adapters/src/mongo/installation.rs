//! The secrets of the installation, sealed.

use async_trait::async_trait;
use bson::doc;
use dakghar_core::domain::installation::SealedSecrets;
use dakghar_core::ports::{InstallationStore, Saved, StoreError};

use super::MongoStore;
use super::documents::sealed_secrets;
use super::indexes::BY_ID;
use super::reads::Query;

#[async_trait]
impl InstallationStore for MongoStore {
    async fn insert_secrets(&self, secrets: &SealedSecrets) -> Result<Saved, StoreError> {
        let document = sealed_secrets::encode(secrets, secrets.version)?;
        let find = self.find_secrets(&secrets.name);
        self.insert_one(&self.installation, document, find, |stored| stored == secrets)
            .await
    }

    async fn save_secrets(&self, secrets: &SealedSecrets) -> Result<Saved, StoreError> {
        let document = sealed_secrets::encode(secrets, secrets.version + 1)?;
        // A save whose answer is lost is not looked up: whoever moves a data key does so again.
        self.replace_version(&self.installation, &secrets.name, secrets.version, document)
            .await
    }

    async fn find_secrets(&self, name: &str) -> Result<Option<SealedSecrets>, StoreError> {
        let query = Query::new(doc! { "_id": name }, BY_ID).majority();
        self.fetch_one(&self.installation, query, sealed_secrets::decode).await
    }
}
