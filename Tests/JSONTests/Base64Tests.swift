import JSON
import Testing

@Suite struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYmE=", "fooba"),
        ("Zm9vYmFy", "foobar"),
    ])
    func `the examples of RFC 4648 are written and read`(_ text: String, _ plain: String) {
        #expect(Base64.encode(plain.utf8) == text)
        #expect(Base64.decode(text) == Array(plain.utf8))
    }

    @Test(arguments: [("QUJD\nRA==\r\n", Array("ABCD".utf8)), ("+/+/", [0xFB, 0xFF, 0xBF]), ("QR==", [0x41])])
    func `what Go reads is read`(_ text: String, _ bytes: [UInt8]) { #expect(Base64.decode(text) == bytes) }

    @Test(arguments: [
        "Q", "QQ", "QQ=", "QUI", "QQ==QQ==", "=", "QUJD=", "Q-_=", "QU JD", "é", "Z!==", "Zg=a", "Zg===",
    ])
    func `what Go refuses is refused`(_ text: String) { #expect(Base64.decode(text) == nil) }

    @Test func `every byte comes back, at every place of a group`() {
        for length in 0...66 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ length) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
        let all = Array(UInt8.min...UInt8.max)
        #expect(Base64.decode(Base64.encode(all)) == all)
    }
}
