package afriberta.edge

import kotlin.math.abs
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

private const val DECIMALS = 1e-4

/** What differs from a bundle's golden.jsonl, one line each; and how far the logits are off. */
class GoldenReport(val problems: List<String>, val words: Int, val flips: Int, val largest: Double)

/** Replays golden.jsonl by the rule of export/golden.py, on a computer and on a phone. */
fun replayGolden(tagger: Tagger, jsonl: String, tolerance: Double): GoldenReport {
    val problems = ArrayList<String>()
    var wordCount = 0
    var flips = 0
    var largest = 0.0
    jsonl.trimEnd().split("\n").forEachIndexed { number, line ->
        val golden = plain(Json.parseToJsonElement(line)) as Map<*, *>
        fun list(name: String) = golden[name] as List<*>
        fun differ(what: String, found: Any) = problems.add("golden.jsonl:${number + 1}: other $what: $found")
        fun same(what: String, found: Any) {
            if (found != golden[what]) differ(what, found)
        }
        val text = golden["text"] as String
        val words = splitWords(text)
        val texts = words.map { it.text }
        val offsets = TextOffsets(text)
        same("words", texts)
        same("utf16", words.map { listOf(it.start, it.end) })
        same("code_points", words.map { listOf(offsets.codePoint(it.start), offsets.codePoint(it.end)) })
        same("bytes", words.map { listOf(offsets.byte(it.start), offsets.byte(it.end)) })
        same("windows", tagger.encoder.windows(texts).map(::asGolden))
        val tags = list("tags").map { it as String }
        same("entities", group(tags).map { listOf(it.type, it.startWord, it.endWord) })

        val found = tagger.predict(texts)
        val margins = list("margins").map(::number)
        wordCount += texts.size
        for (word in texts.indices) {
            if (found.tags[word] != tags[word]) {
                flips += 1
                if (margins[word] >= tolerance) differ("tag of word $word", found.tags[word])
            }
            val (best, second) = found.logits[word].sortedDescending()
            val margin = (best - second).toDouble()
            if (abs(margin - margins[word]) > 2 * (tolerance + DECIMALS)) differ("margin of word $word", margin)
        }
        list("logits").forEachIndexed { word, row ->
            (row as List<*>).forEachIndexed { label, logit ->
                largest = maxOf(largest, abs(number(logit) - found.logits[word][label]))
            }
        }
        if (largest > tolerance + DECIMALS) differ("logits", largest)
    }
    return GoldenReport(problems, wordCount, flips, largest)
}

private fun asGolden(window: Window): Map<String, List<Int>> = mapOf(
    "ids" to window.inputIds.asList(),
    "first" to window.first.asList(),
    "words" to window.words.asList(),
    "keep" to window.keep.map { if (it) 1 else 0 },
)

private fun number(value: Any?): Double = (value as Number).toDouble()

/** Lists, maps, numbers and text in place of JSON. */
private fun plain(value: JsonElement): Any = when (value) {
    is JsonArray -> value.map(::plain)
    is JsonObject -> value.mapValues { plain(it.value) }
    is JsonPrimitive -> if (value.isString) value.content else value.content.run { toIntOrNull() ?: toDouble() }
}
