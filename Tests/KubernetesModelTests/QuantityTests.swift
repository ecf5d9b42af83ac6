import JSON
import KubernetesModel
import Testing

@Suite("A quantity")
struct QuantityTests {
    /// The expectations are those of apimachinery's own tests, `resource/quantity_test.go`.
    @Test(
        "parses and prints the canonical form",
        arguments: [
            ("0", "0"), ("0n", "0"), ("0.0", "0"), ("-0", "0"), ("1", "1"), ("+1", "1"), ("-1", "-1"), ("100m", "100m"),
            ("1000m", "1"), ("1500m", "1500m"), ("0.5", "500m"), (".5", "500m"), ("5.", "5"), ("1.5", "1500m"),
            ("0.001", "1m"), ("0.0001", "100u"), ("1n", "1n"), ("1u", "1u"), ("2000", "2k"), ("12k", "12k"),
            ("1M", "1M"), ("1000000", "1M"), ("5E", "5E"), ("1E", "1E"), ("1234567", "1234567"), ("1Ki", "1Ki"),
            ("1024Ki", "1Mi"), ("1Mi", "1Mi"), ("1.5Gi", "1536Mi"), ("512Mi", "512Mi"), ("0.5Mi", "512Ki"),
            ("1023", "1023"), ("0.5Ki", "512"), ("1Ei", "1Ei"), ("100Ki", "100Ki"), ("1000Ki", "1000Ki"),
            ("1.1Ki", "1126400m"), ("1e3", "1e3"), ("1E3", "1e3"), ("12e6", "12e6"), ("1e1", "10"), ("1e0", "1"),
            ("1.5e3", "1500"), ("1e-3", "1e-3"), ("3e-9", "3e-9"), ("-1.5Gi", "-1536Mi"), ("010", "10"),
            ("00001Ki", "1Ki"), ("123456789.123456789", "123456789123456789n"),
        ])
    func canonical(text: String, expected: String) throws {
        let quantity = try Quantity(text)
        #expect(quantity.description == expected)
        #expect(try Quantity(expected) == quantity)
        #expect(try Quantity(expected).description == expected)
    }

    @Test(
        "refuses what is none",
        arguments: [
            "", " ", ".", "-", "+", "1 ", " 1", "1.2.3", "1mi", "1K", "1kb", "1i", "Ki", "m", "e3", "1e", "1e+",
            "1e1.5",
            "--1", "1-", "1_000", "0x10", "1eE", "nan", "inf", "1e9223372036854775808", "1e-9223372036854775809",
            "1e1_0", "½", "1\u{0}",
        ])
    func refused(text: String) {
        #expect(throws: QuantityError.self) { try Quantity(text) }
    }

    @Test(
        "rounds up to a billionth, and holds no more than 2^63-1",
        arguments: [
            ("0.1n", "1n"), ("1.0000000001", "1000000001n"), ("-0.1n", "-1n"), ("1e-30", "1e-9"),
            ("9223372036854775807", "9223372036854775807"), ("9223372036854775808", "9223372036854775807"),
            ("10E", "9223372036854775807"), ("8Ei", "9223372036854775807"), ("-100E", "-9223372036854775807"),
            ("1e100000", "9223372036854775807"), ("0e100000", "0"), ("0e-100000", "0"),
            ("1e00000000000003", "1e3"), ("1e-00000000000003", "1e-3"), ("1e2147483647", "9223372036854775807"),
            ("1e-2147483648", "1e-9"), ("1e4294967297", "10"), ("1e9223372036854775807", "100e-3"),
            ("99999999999999999999999999999999999999999999999999", "9223372036854775807"),
            ("0.00000000000000000000000000000000000000000000000001", "1n"),
            ("9223372036854775806.999999999", "9223372036854775806999999999n"),
        ])
    func extremes(text: String, expected: String) throws {
        #expect(try Quantity(text).description == expected)
    }

    @Test("compares amounts, not texts")
    func compares() throws {
        #expect(try Quantity("1") == Quantity("1000m"))
        #expect(try Quantity("1Ki") > Quantity("1k"))
        #expect(try Quantity("0.1") < Quantity("101m"))
        #expect(try Quantity("-5") < Quantity("0"))
        #expect(try Set([Quantity("1"), Quantity("1000m"), Quantity("1e0")]).count == 1)
    }

    @Test("gives whole units and thousandths rounded up")
    func values() throws {
        #expect(try Quantity("1500m").value == 2)
        #expect(try Quantity("1").value == 1)
        #expect(try Quantity("-1500m").value == -2)
        #expect(try Quantity("1n").value == 1)
        #expect(try Quantity("0.25").milliValue == 250)
        #expect(try Quantity("1n").milliValue == 1)
        #expect(try Quantity("9E").milliValue == .max)
        #expect(try Quantity("1.5").double == 1.5)
    }

    @Test("adds and subtracts, keeping the format of the first that is not zero")
    func sums() throws {
        #expect(try (Quantity("500m") + Quantity("1")).description == "1500m")
        #expect(try (Quantity.zero + Quantity("1Gi")).description == "1Gi")
        #expect(try (Quantity("1Gi") - Quantity("512Mi")).description == "512Mi")
        #expect(try (Quantity("9E") + Quantity("9E")).value == .max)
        #expect(Quantity(5).description == "5")
        #expect(Quantity(milli: 5).description == "5m")
        #expect(Quantity(2048, format: .binarySI).description == "2Ki")
    }

    @Test("what is generated survives a round trip")
    func roundTrip() throws {
        var state: UInt64 = 9
        func next(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 20) % bound
        }
        let suffixes = ["", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "e3", "e-3", "E2"]
        for _ in 0..<20_000 {
            let whole = next(100_000)
            let fraction = next(1000)
            let suffix = suffixes[Int(next(UInt64(suffixes.count)))]
            let text = "\(next(2) == 0 ? "-" : "")\(whole).\(fraction)\(suffix)"
            let quantity = try Quantity(text)
            let printed = quantity.description
            #expect(try Quantity(printed) == quantity, "\(text)")
            #expect(try Quantity(printed).description == printed, "\(text)")
        }
    }

    @Test("is read from a string or a number, and errors name the field")
    func json() throws {
        let cursor = JSONCursor(["a": "1Gi", "b": 2, "c": 0.5, "d": true, "e": "lots"], path: "limits")
        #expect(try cursor["a"].optionalQuantity()?.value == 1 << 30)
        #expect(try cursor["b"].optionalQuantity()?.description == "2")
        #expect(try cursor["c"].optionalQuantity()?.description == "500m")
        #expect(try cursor["x"].optionalQuantity() == nil)
        #expect(throws: JSONShapeError(path: "limits.d", message: "must be a quantity, not boolean")) {
            try cursor["d"].optionalQuantity()
        }
        let error = #expect(throws: JSONShapeError.self) { try cursor["e"].optionalQuantity() }
        #expect(error?.description.hasPrefix("limits.e: invalid quantity \"lots\"") == true)
    }
}
