import JSON
import Testing

@testable import KubernetesClient

@Suite struct ListSplitterTests {
    /// Items and envelope of an answer that comes in pieces of `size` bytes.
    private static func split(_ text: String, _ size: Int) throws -> (items: [String], envelope: String) {
        var splitter = ListSplitter()
        var items: [String] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            try splitter.push(Array(bytes[start..<min(start + size, bytes.count)])) {
                items.append(String(decoding: $0, as: UTF8.self))
            }
        }
        #expect(splitter.count == items.count)
        return (items, String(decoding: splitter.envelope, as: UTF8.self))
    }

    @Test(
        arguments: [
            (
                #"{"items":[{"a":1},{"b":[{}]}],"kind":"L"}"#, [#"{"a":1}"#, #"{"b":[{}]}"#],
                #"{"items":[0,0],"kind":"L"}"#
            ),
            (
                #"{"kind":"L" , "items" : [ {"a":"}]\"\\"} , {} ] }"#, [#"{"a":"}]\"\\"}"#, "{}"],
                #"{"kind":"L" , "items" : [ 0 , 0 ] }"#
            ),
            (#"{"items":[],"x":[{"items":[{}]}]}"#, [], #"{"items":[],"x":[{"items":[{}]}]}"#),
            (#"{"items":null}"#, [], #"{"items":null}"#),
            (#"{"x\"items":[{}],"y":"\"items\":[{}]"}"#, [], #"{"x\"items":[{}],"y":"\"items\":[{}]"}"#),
            (
                #"{"metadata":{"items":[{}]},"items":[{"items":[{}]}]}"#, [#"{"items":[{}]}"#],
                #"{"metadata":{"items":[{}]},"items":[0]}"#
            ),
            ("[{}]", [], "[{}]"), ("", [], ""), (#"{"items":[{"a":"#, [], #"{"items":[0"#),
        ] as [(String, [String], String)])
    func itemsAreCutOutWhereverThePiecesEnd(_ text: String, _ items: [String], _ envelope: String) throws {
        for size in 1...max(1, text.utf8.count) {
            let found = try Self.split(text, size)
            #expect(found.items == items, "pieces of \(size)")
            #expect(found.envelope == envelope, "pieces of \(size)")
        }
    }

    @Test(arguments: ["3", "null", "\"a\"", "[{}]", "{},7"])
    func anItemThatIsNoObjectIsRefused(_ item: String) {
        #expect(throws: ListSplitter.Failure.self) { try Self.split(#"{"items":[\#(item)]}"#, 4) }
    }

    @Test func anItemWithoutAnEndIsRefused() {
        var splitter = ListSplitter()
        let piece = [UInt8](repeating: 0x20, count: 1 << 20)
        #expect(throws: ListSplitter.Failure.self) {
            try splitter.push(Array(#"{"items":[{"a":""#.utf8)) { _ in }
            for _ in 0...(ListSplitter.maximumHeld >> 20) { try splitter.push(piece) { _ in } }
        }
    }
}
