//! The resources, of which one is made for each id.

use borg_mcp::Failure;
use rmcp::ErrorData;
use rmcp::model::{
    ListResourceTemplatesResult, ListResourcesResult, ReadResourceResponse, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};
use serde::Deserialize;
use serde_json::json;

/// A grey dot, as PNG in Base64.
pub const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

#[derive(Debug, Clone, Deserialize)]
pub struct Resources {
    list: Vec<Resource>,
    templates: Vec<ResourceTemplate>,
    contents: Vec<ResourceContents>,
}

impl Resources {
    pub fn new() -> Result<Self, Failure> {
        crate::data("resources.json", include_str!("resources.json"))
    }

    pub fn all(&self) -> ListResourcesResult {
        ListResourcesResult::with_all_items(self.list.clone())
    }

    pub fn templates(&self) -> ListResourceTemplatesResult {
        ListResourceTemplatesResult::with_all_items(self.templates.clone())
    }

    pub fn read(&self, uri: &str) -> Result<ReadResourceResponse, ErrorData> {
        let missing = || ErrorData::resource_not_found("there is no such resource", Some(json!({ "uri": uri })));
        let fixed = self.contents.iter().find(|content| address(content) == Some(uri)).cloned();
        let content = fixed.or_else(|| of_an_id(uri)).ok_or_else(missing)?;
        Ok(ReadResourceResult::new(vec![content]).into())
    }
}

fn address(content: &ResourceContents) -> Option<&str> {
    match content {
        ResourceContents::TextResourceContents { uri, .. } | ResourceContents::BlobResourceContents { uri, .. } => {
            Some(uri)
        }
        _ => None,
    }
}

fn of_an_id(uri: &str) -> Option<ResourceContents> {
    let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
    let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
    Some(ResourceContents::text(data.to_string(), uri).with_mime_type("application/json"))
}
