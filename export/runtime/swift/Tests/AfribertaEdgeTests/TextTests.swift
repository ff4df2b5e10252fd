import AfribertaEdge
import XCTest

final class TextTests: XCTestCase {
    func testOffsetsPointIntoTheString() {
        let text = "😀 Ọlá ń lọ sí Ìbàdàn, \r\nng'ombe 1,000."
        let words = splitWords(text)
        let expected = ["😀", "Ọlá", "ń", "lọ", "sí", "Ìbàdàn", ",", "ng'ombe", "1,000", "."]
        XCTAssertEqual(words.map(\.text), expected)
        for word in words {
            let units = Array(text.utf16)[word.utf16]
            XCTAssertEqual(String(decoding: units, as: UTF16.self), word.text)
            XCTAssertEqual(String(decoding: Array(text.utf8)[word.bytes], as: UTF8.self), word.text)
            XCTAssertTrue(Array(text.unicodeScalars)[word.codePoints].elementsEqual(word.text.unicodeScalars))
        }
        XCTAssertEqual(splitSentences(text, words).map(\.count), [10])
    }

    func testTagsAreGroupedAsSeqevalDoes() {
        let found = group(["I-PER", "I-PER", "O", "B-LOC", "B-LOC"], scores: [1, 0.5, 0, 0.25, 1])
        XCTAssertEqual(found.map(\.type), ["PER", "LOC", "LOC"])
        XCTAssertEqual(found.map(\.words), [0..<2, 3..<4, 4..<5])
        XCTAssertEqual(found.map(\.score), [0.75, 0.25, 1])
    }

    func testAnotherSchemaIsRefused() {
        XCTAssertThrowsError(try Manifest(Data("{\"schema_version\": 2}".utf8))) { error in
            XCTAssertEqual((error as? BundleError)?.code, .schema)
        }
    }
}
