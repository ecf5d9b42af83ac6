/// A string that no description, interpolation, mirror or error shows.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The value itself, for the header that carries it and nothing else.
    public let revealed: String

    /// Takes the value, to be read where it is used and nowhere else.
    public init(_ value: String) { revealed = value }

    /// Never the value.
    public var description: String { "<secret>" }
    /// Never the value.
    public var debugDescription: String { description }
    /// Empty, for reflection would tell.
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
