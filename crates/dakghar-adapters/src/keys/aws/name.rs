//! The name of a key of AWS KMS.

use dakghar_core::ports::KeyId;

/// The most of a name: it stands in every wrapped data key.
const NAME_BYTES_MAX: usize = 256;

/// A key of AWS KMS, by its ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsName {
    arn: String,
    region: String,
}

impl AwsName {
    /// Reads the ARN of a key, such as `arn:aws:kms:eu-central-1:111122223333:key/1234abcd-…`.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "must be aws:<key arn>, such as aws:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let [arn, partition, service, region, account, resource] = parts[..] else {
            return Err(FORM);
        };
        if resource.starts_with("alias/") {
            return Err("aws: takes the ARN of a key and no alias, which may be pointed at another key");
        }
        let is_word = |text: &str| {
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !text.is_empty() && text.bytes().all(fits)
        };
        let is_place = arn == "arn" && partition.starts_with("aws") && is_word(partition) && service == "kms";
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_key = resource.strip_prefix("key/").is_some_and(is_word);
        if !is_place || !is_word(region) || !is_account || !is_key || text.len() > NAME_BYTES_MAX {
            return Err(FORM);
        }
        Ok(Self {
            arn: text.to_owned(),
            region: region.to_owned(),
        })
    }

    /// Names the key on what it wrapped.
    pub fn id(&self) -> KeyId {
        KeyId::new(format!("aws:{}", self.arn))
    }

    /// The ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The region that the key is in.
    pub fn region(&self) -> &str {
        &self.region
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_arn() {
        for (text, region) in [
            (
                "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
                "eu-central-1",
            ),
            (
                "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
                "us-gov-west-1",
            ),
        ] {
            let name = AwsName::parse(text).expect(text);
            assert_eq!((name.arn(), name.region()), (text, region));
            assert_eq!(name.id().to_string(), format!("aws:{text}"));
        }
    }

    #[test]
    fn what_is_no_arn_of_a_key_says_so() {
        let alias = AwsName::parse("arn:aws:kms:eu-central-1:111122223333:alias/dakghar");
        assert!(alias.expect_err("an alias").contains("alias"));
        for text in [
            "",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:kms:eu-central-1:111122223333",
            "arn:aws:kms:eu-central-1:111122223333:key/",
            "arn:aws:kms:eu-central-1:111122223333:key/a:b",
            "arn:aws:kms:eu-central-1:111122223333:key/../x",
            "arn:aws:kms::111122223333:key/1",
            "arn:aws:kms:eu-central-1:1111:key/1",
            "arn:aws:s3:eu-central-1:111122223333:key/1",
            "arn:azure:kms:eu-central-1:111122223333:key/1",
        ] {
            assert!(AwsName::parse(text).expect_err(text).contains("key arn"), "{text}");
        }
    }
}
