import JSON
import KubernetesModel

/// Writes the `meta.k8s.io/v1` Table that `kubectl get` asks the server for.
public struct TablePrinter: Sendable {
    /// What each row carries of its object (`includeObject` of the request).
    public enum IncludedObject: String, Sendable, Hashable {
        case none = "None"
        case metadata = "Metadata"
        case object = "Object"
    }

    /// How one kind is printed.
    struct Layout: Sendable {
        var columns: [PrinterColumn]
        var cells: @Sendable (JSONValue, Timestamp) -> [JSONValue]

        /// Columns as a line of words: `_` stands for a space, a `*` marks what only `-o wide` shows, `:integer` a type.
        init(_ columns: String, _ cells: @escaping @Sendable (JSONValue, Timestamp) -> [JSONValue]) {
            self.columns = columns.split(separator: " ").map { word in
                let parts = word.split(separator: ":")
                let isWide = word.contains("*")
                let name = (parts.first ?? "").map { $0 == "_" ? " " : String($0) }.joined()
                let plain = name.filter { $0 != "*" }
                let type = parts.count > 1 ? String(parts[1].filter { $0 != "*" }) : "string"
                return PrinterColumn(
                    name: plain, type: type, format: plain == "Name" ? "name" : "", priority: isWide ? 1 : 0)
            }
            self.cells = cells
        }
    }

    private let layout: Layout

    public init(_ definition: ResourceDefinition) {
        if definition.isBuiltIn {
            layout = Self.builtIn[definition.type.kind] ?? Self.plain
        } else {
            layout = Self.layout(of: definition)
        }
    }

    /// The Table of these objects.
    ///
    /// - Parameters:
    ///   - metadata: that of the list; empty for a single object or an event of a watch.
    ///   - withHeaders: the events of a watch but the first carry no column definitions.
    public func table(
        of objects: [JSONValue], metadata: JSONValue = [:], include: IncludedObject = .metadata,
        withHeaders: Bool = true, now: Timestamp
    ) -> JSONValue {
        var result: JSONValue = ["kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata]
        result["columnDefinitions"] = .array(withHeaders ? layout.columns.map(Self.definition) : [])
        result["rows"] = .array(
            objects.map { object in
                var row: JSONValue = ["cells": .array(layout.cells(object, now))]
                row["object"] = Self.included(object, include)
                return row
            })
        return result
    }

    private static func definition(of column: PrinterColumn) -> JSONValue {
        [
            "name": .string(column.name), "type": .string(column.type), "format": .string(column.format),
            "description": .string(column.description), "priority": JSONValue(column.priority),
        ]
    }

    private static func included(_ object: JSONValue, _ include: IncludedObject) -> JSONValue? {
        switch include {
        case .none: nil
        case .object: object
        case .metadata:
            [
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                "metadata": object["metadata"] ?? [:],
            ]
        }
    }

    /// NAME and AGE, for kinds of which nothing more is known.
    static let plain = Layout("Name Age") { object, now in [name(object), age(object, now)] }

    /// The columns of a custom resource: its name, and what its definition prints.
    private static func layout(of definition: ResourceDefinition) -> Layout {
        var columns = definition.columns
        if columns.isEmpty {
            columns = [PrinterColumn(name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp")]
        }
        let paths = columns.map { ColumnPath($0.jsonPath) }
        let types = columns.map(\.type)
        var layout = Layout("Name") { object, now in
            [name(object)]
                + zip(paths, types).map { path, type in
                    path?.find(in: object).first.map { cell($0, type: type, now: now) } ?? .null
                }
        }
        layout.columns += columns
        return layout
    }

    private static func cell(_ value: JSONValue, type: String, now: Timestamp) -> JSONValue {
        switch (type, value) {
        case (_, .null): .null
        case ("integer", _): value.integer.map(JSONValue.integer) ?? .null
        case ("number", _): value.double.map(JSONValue.number) ?? .null
        case ("boolean", _): value.bool.map(JSONValue.bool) ?? .null
        case ("date", _): value.string.map { .string(HumanDuration.since($0, now: now)) } ?? .null
        case (_, .string): value
        default: .string(value.serialized())
        }
    }
}

extension TablePrinter {
    static func name(_ object: JSONValue) -> JSONValue { object["metadata", "name"] ?? "" }

    static func age(_ object: JSONValue, _ now: Timestamp) -> JSONValue {
        .string(HumanDuration.since(object["metadata", "creationTimestamp"]?.string, now: now))
    }

    static func text(_ value: JSONValue?, or fallback: String = "<none>") -> JSONValue {
        switch value {
        case .string(let text): .string(text.isEmpty ? fallback : text)
        case nil, .null: .string(fallback)
        case let other?: .string(other.serialized())
        }
    }

    static func integer(_ value: JSONValue?) -> JSONValue { .integer(value?.integer ?? 0) }

    static func list(_ values: [String]) -> JSONValue {
        .string(values.isEmpty ? "<none>" : values.joined(separator: ","))
    }
}
