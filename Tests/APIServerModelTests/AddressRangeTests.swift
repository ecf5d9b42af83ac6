import Testing

@testable import APIServerModel

@Suite struct AddressRangeTests {
    @Test(arguments: [
        ("10.96.0.0/16", "10.96.0.10", 65_535 - 10), ("10.96.7.0/24", "10.96.7.10", 255 - 10),
        ("127.96.3.77/24", "127.96.3.10", 255 - 10), ("192.168.0.8/29", "192.168.0.9", 6),
    ])
    func aRangeGivesAddressesFromItsFirstFreeOneOn(text: String, first: String, count: Int) throws {
        let addresses = Array(try #require(AddressRange(text)).assignable)
        #expect(addresses.first == first)
        #expect(addresses.count == count)
    }

    @Test(arguments: ["", "10.96.0.0", "10.96.0/16", "10.96.0.256/16", "10.96.0.0/31", "10.96.0.0/x", "::/64"])
    func whatIsNoRangeGivesNone(text: String) { #expect(AddressRange(text) == nil) }
}
