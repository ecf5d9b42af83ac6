import JSON

/// Who may call a model, as its `spec.serving.auth` says.
public enum CallerRule: Sendable, Hashable {
    /// Nobody is asked who they are.
    case anybody
    /// The service accounts of the model's namespace.
    case serviceAccounts
    /// Something that this gateway is too old to know, so that it can let nobody in.
    case unknown(String)

    init(_ auth: JSONValue?) {
        switch auth {
        case nil, .null: self = .anybody
        case .string("ServiceAccount"): self = .serviceAccounts
        case .string(let other): self = .unknown(other)
        case let other?: self = .unknown(other.serialized())
        }
    }
}
