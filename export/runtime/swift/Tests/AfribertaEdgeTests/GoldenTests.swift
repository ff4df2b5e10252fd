import AfribertaEdge
import XCTest

/// Replays the text part of a bundle's golden.jsonl; onnx/Tests replays all of it. The folder of the bundle is
/// $AFRIBERTA_BUNDLE.
final class GoldenTests: XCTestCase {
    func testGoldenTextIsReadAsInPython() throws {
        let named = ProcessInfo.processInfo.environment["AFRIBERTA_BUNDLE"]
        guard let named else { throw XCTSkip("needs a bundle: set AFRIBERTA_BUNDLE to its folder") }
        let folder = URL(fileURLWithPath: named)
        let bundle = try OpenBundle(files: { try Data(contentsOf: folder.appendingPathComponent($0)) })
        let maxLength = min(bundle.manifest.maxLength, 512)
        let encoder = try WordEncoder(tokenizer: bundle.read("tokenizer.json"), maxLength: maxLength)
        let report = try replayGoldenText(bundle.read(bundle.manifest.golden), with: encoder)
        XCTAssertEqual(report.problems, [])
        XCTAssertGreaterThan(report.words, 0)
    }
}
