import Foundation

#if canImport(CryptoKit)
import CryptoKit

/// The SHA-256 digest of `data`, in hexadecimal.
func sha256(_ data: Data) -> String {
    hexadecimal(Array(SHA256.hash(data: data)))
}
#else
/// The SHA-256 digest of `data`, in hexadecimal (FIPS 180-4), where the system brings none.
func sha256(_ data: Data) -> String {
    let constants = primes.map { fraction(of: cbrt, $0) }
    var state = primes.prefix(8).map { fraction(of: { $0.squareRoot() }, $0) }
    var padded = Array(data) + [0x80]
    padded += [UInt8](repeating: 0, count: (120 - padded.count % 64) % 64)
    padded += (0..<8).map { UInt8(truncatingIfNeeded: (data.count * 8) >> (56 - 8 * $0)) }
    var schedule = [UInt32](repeating: 0, count: 64)
    for block in stride(from: 0, to: padded.count, by: 64) {
        for t in 0..<16 {
            schedule[t] = (0..<4).reduce(0) { $0 << 8 | UInt32(padded[block + 4 * t + $1]) }
        }
        for t in 16..<64 {
            let (early, late) = (schedule[t - 15], schedule[t - 2])
            let small0 = rotated(early, 7) ^ rotated(early, 18) ^ early >> 3
            let small1 = rotated(late, 17) ^ rotated(late, 19) ^ late >> 10
            schedule[t] = schedule[t - 16] &+ small0 &+ schedule[t - 7] &+ small1
        }
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for t in 0..<64 {
            let big1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
            let first = h &+ big1 &+ (e & f ^ ~e & g) &+ constants[t] &+ schedule[t]
            let big0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
            let second = big0 &+ (a & b ^ a & c ^ b & c)
            (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
        }
        for (index, value) in [a, b, c, d, e, f, g, h].enumerated() { state[index] &+= value }
    }
    return hexadecimal(state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } })
}

private let primes = (2...311).filter { number in !(2..<number).contains { number % $0 == 0 } }

/// The first 32 bits of the fractional part of a prime's root.
private func fraction(of root: (Double) -> Double, _ prime: Int) -> UInt32 {
    let value = root(Double(prime))
    return UInt32((value - value.rounded(.down)) * 0x1p32)
}

private func rotated(_ value: UInt32, _ bits: UInt32) -> UInt32 {
    value >> bits | value << (32 - bits)
}
#endif

private func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
