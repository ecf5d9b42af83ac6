import JSON

extension Presenter {
    /// The server's Table of some objects, one row each.
    func table(_ entries: [StoredEntry], metadata: JSONValue, withHeaders: Bool) -> JSONValue {
        let rows = entries.map { entry -> JSONValue in
            var row: JSONValue = ["cells": [.string(entry.name), entry.metadata["creationTimestamp"] ?? .null]]
            switch includeObject {
            case "None": break
            case "Object": row["object"] = resource.presented(entry.json)
            default: row["object"] = Self.partialMetadata(entry.json)
            }
            return row
        }
        let columns: JSONValue = [
            ["name": "Name", "type": "string", "format": "name", "description": "", "priority": 0],
            ["name": "Created At", "type": "date", "format": "", "description": "", "priority": 0],
        ]
        return [
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": withHeaders ? columns : [], "rows": .array(rows),
        ]
    }
}
