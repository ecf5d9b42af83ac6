import Glibc
import Testing

@testable import Search

/// Against the C library, which is near enough to tell a mistake, and against bits that every machine must find.
@Suite struct StableMathTests {
    @Test func theLogarithmIsThatOfTheLibraryToTheLastBits() {
        var random = SearchRandom(seed: 1, stream: 0, use: .values)
        for _ in 0..<20_000 {
            let x = StableMath.exp(1_400 * random.unit() - 700)
            let (ours, theirs) = (StableMath.ln(x), log(x))
            #expect(abs(ours - theirs) <= 2 * theirs.ulp, "\(x)")
        }
        #expect(StableMath.ln(1) == 0)
        #expect(StableMath.ln(0) == -.infinity && StableMath.ln(.infinity) == .infinity && StableMath.ln(-1).isNaN)
        #expect(abs(StableMath.ln(1e-308) - log(1e-308)) < 1e-12)
    }

    @Test func theExponentialIsThatOfTheLibraryToTheLastBits() {
        var random = SearchRandom(seed: 2, stream: 0, use: .values)
        for _ in 0..<20_000 {
            let x = 1_400 * random.unit() - 700
            #expect(abs(StableMath.exp(x) - exp(x)) <= 2 * exp(x).ulp, "\(x)")
        }
        #expect(StableMath.exp(0) == 1 && StableMath.exp(-800) == 0 && StableMath.exp(800) == .infinity)
        #expect(StableMath.exp(.nan).isNaN)
    }

    @Test func aTailIsThatOfTheLibraryInTenDigits() {
        for step in 0...3_700 {
            let x = Double(step) / 100
            let theirs = 0.5 * erfc(x * 0.5.squareRoot())
            #expect(abs(StableMath.upperTail(x) - theirs) <= 1e-10 * theirs, "\(x)")
        }
    }

    @Test func massesAddUp() {
        #expect(abs(StableMath.normalMass(-1, 1) - 0.682_689_492_137_085_9) < 1e-14)
        #expect(StableMath.normalMass(3, 3) == 0)
        #expect(StableMath.normalMass(20, 21) > 0 && StableMath.normalMass(-21, -20) == StableMath.normalMass(20, 21))
        let parts = (-80..<80).reduce(0) { $0 + StableMath.normalMass(Double($1) / 10, Double($1 + 1) / 10) }
        #expect(abs(parts - 1) < 1e-13)
    }

    /// What another machine must find to the bit.
    @Test func theBitsAreThese() {
        #expect(StableMath.ln(10).bitPattern == 0x4002_6BB1_BBB5_5516)
        #expect(StableMath.exp(1).bitPattern == 0x4005_BF0A_8B14_576A)
    }
}

@Suite struct NumberTextTests {
    @Test(
        arguments: [
            (1.0, 1.0), (0.1 + 0.2, 0.3), (1.0 / 3, 0.333333333333), (2.0 / 3, 0.666666666667),
            (-2.0 / 3, -0.666666666667),
            (123_456_789_012_345, 123_456_789_012_000), (9.999_999_999_999_9e-5, 1e-4), (1e-308, 1e-308), (0, 0),
            (1.797_693_134_862_315_7e308, 1.797_693_134_86e308), (0.000_123_456_789_012_345, 0.000_123_456_789_012),
        ] as [(Double, Double)])
    func itIsRoundedToTwelveDigits(_ value: Double, _ rounded: Double) {
        #expect(NumberText.rounded(value) == rounded)
    }

    @Test func whatWasRoundedStaysAsItIs() {
        var random = SearchRandom(seed: 3, stream: 0, use: .values)
        for _ in 0..<5_000 {
            let value = StableMath.exp(600 * random.unit() - 300)
            let rounded = NumberText.rounded(value)
            #expect(abs(rounded - value) <= 0.5000001e-11 * value)
            #expect(NumberText.rounded(rounded) == rounded)
            #expect(NumberText.parse(rounded.description) == rounded)
        }
    }

    @Test(
        arguments: [("-7.5e-05", -7.5e-5), ("3", 3), ("1E+3", 1_000), ("-0", 0), ("0.10", 0.1)] as [(String, Double)])
    func aDecimalIsRead(_ text: String, _ value: Double) { #expect(NumberText.parse(text) == value) }

    @Test(arguments: [
        "", "-", "nan", "inf", "0x1p3", "1.", ".5", "1e", "1e400", " 1", "1 ", "1,5", "١", "--1", "1e5.0",
    ])
    func anythingElseIsNot(_ text: String) { #expect(NumberText.parse(text) == nil) }
}
