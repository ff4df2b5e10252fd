// What the Kotlin runtime makes of texts, for Python to compare: see kotlin_harness.py. One command a run:
//
//     compare BUNDLE MAX_LENGTH FILE   lines of hard_texts.as_read: prints one report, as js/compare.js does
//     answer BUNDLE FILE               one answer a line, as js/answer.js gives
//     golden BUNDLE                    replays golden.jsonl: prints one report
//     load FILE                        lines {folder, …}: how loading each bundle ends
//     normalize FORM FILE              a list of the texts of FILE in a normalization form
//     combining                        a list of all code points' combining classes
//
// The model runs in Python: `ids [..]` on standard output asks for the logits of a window on standard input. Answers
// are JSON in ASCII.

import afriberta.edge.Bundle
import afriberta.edge.BundleException
import afriberta.edge.CombiningClasses
import afriberta.edge.Composition
import afriberta.edge.OrtModel
import afriberta.edge.Tagger
import afriberta.edge.TextOffsets
import afriberta.edge.Window
import afriberta.edge.WordEncoder
import afriberta.edge.group
import afriberta.edge.replayGolden
import afriberta.edge.splitSentences
import afriberta.edge.splitWords
import ai.onnxruntime.OrtStub
import java.io.File
import java.text.Normalizer
import java.util.function.Function
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.double
import kotlinx.serialization.json.float
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonPrimitive

fun main(arguments: Array<String>) {
    OrtStub.answer = Function(::askPython)
    when (arguments[0]) {
        "compare" -> compare(File(arguments[1]), arguments[2].toInt(), File(arguments[3]))
        "answer" -> open(File(arguments[1])).use { tagger ->
            readLines(File(arguments[2])).forEach { show(answer(tagger, it as JsonObject)) }
        }
        "golden" -> golden(File(arguments[1]))
        "load" -> readLines(File(arguments[1])).forEach { show(load(it as JsonObject)) }
        "normalize" -> {
            val form = Normalizer.Form.valueOf(arguments[1])
            val texts = readLines(File(arguments[2])).map { it.jsonPrimitive.content }
            show(array(texts.map { Composition.normalize(form, it) }))
        }
        "combining" -> show(array((0..Character.MAX_CODE_POINT).map(CombiningClasses::of)))
    }
    check(OrtStub.open == 0) { "${OrtStub.open} of onnxruntime's objects are left open" }
}

private fun askPython(ids: LongArray): FloatArray {
    println("ids " + ids.joinToString(",", "[", "]"))
    val values = Json.parseToJsonElement(checkNotNull(readlnOrNull())).jsonArray
    return FloatArray(values.size) { values[it].jsonPrimitive.float }
}

private fun open(folder: File) = Tagger.load({ File(folder, it).inputStream() })

private fun compare(folder: File, maxLength: Int, file: File) {
    val specification = Json.parseToJsonElement(File(folder, "tokenizer.json").readText())
    val encoder = WordEncoder(specification, maxLength)
    val wrong = sortedMapOf("offsets" to 0, "sentences" to 0, "ids" to 0)
    val examples = ArrayList<JsonElement>()
    var texts = 0
    var count = 0
    for (line in readLines(file).map { it as JsonObject }) {
        val text = line.getValue("text").jsonPrimitive.content
        val offsets = TextOffsets(text)
        val words = splitWords(text)
        val units = listOf<(Int) -> Int>(offsets::codePoint, offsets::byte, { it })
        val given = line["given"]?.let(::strings) ?: words.map { it.text }
        val found = mapOf(
            "offsets" to array(words) { word -> array(units.flatMap { listOf(it(word.start), it(word.end)) }) },
            "sentences" to array(splitSentences(text, words).map { it.size }),
            "ids" to array(encoder.windows(given), ::asRow),
        )
        texts += 1
        count += given.size
        for ((what, key) in listOf("offsets" to "words", "sentences" to "sentences", "ids" to "windows")) {
            if (found[what] == line[key]) continue
            wrong[what] = wrong.getValue(what) + 1
            if (examples.size < 5) examples.add(array(listOf(text, what, "${found[what]}", "${line[key]}")))
        }
    }
    val counts = wrong + mapOf("texts" to texts, "words" to count)
    show(JsonObject(counts.mapValues { JsonPrimitive(it.value) } + ("examples" to JsonArray(examples))))
}

private fun asRow(window: Window): JsonElement = JsonArray(
    listOf(window.inputIds, window.first, window.words, window.keep.map { if (it) 1 else 0 }.toIntArray())
        .map { array(it.asList()) },
)

private fun answer(tagger: Tagger, line: JsonObject): JsonElement {
    line["tags"]?.let { tags ->
        val entities = group(strings(tags), line["scores"]?.jsonArray?.map { it.jsonPrimitive.double })
        return array(entities) { array(listOf(it.type, it.startWord, it.endWord, it.score)) }
    }
    line["words"]?.let { words ->
        val found = tagger.predict(strings(words))
        return JsonObject(mapOf("tags" to array(found.tags), "scores" to array(found.scores)))
    }
    return array(tagger.tag(line.getValue("text").jsonPrimitive.content)) {
        val points = listOf(it.startCodePoint, it.endCodePoint)
        array(listOf(it.type, it.text) + points + listOf(it.startByte, it.endByte, it.start, it.end, it.score))
    }
}

private fun golden(folder: File) {
    val manifest = Bundle({ File(folder, it).inputStream() }).manifest
    val golden = checkNotNull(manifest.golden)
    val lines = File(folder, golden.file).readText()
    val report = open(folder).use { replayGolden(it, lines, golden.logitTolerance) }
    val values = mapOf(
        "problems" to array(report.problems),
        "words" to JsonPrimitive(report.words),
        "largest" to JsonPrimitive(report.largest),
    )
    show(JsonObject(values))
}

/** Loads a bundle and tags its `text`: `error` and `message`, or `entities`. */
private fun load(line: JsonObject): JsonElement {
    val folder = File(line.getValue("folder").jsonPrimitive.content)
    line["inputs"]?.let { OrtStub.inputNames = strings(it).toSet() }
    val copies = line["copies"]?.let { File(it.jsonPrimitive.content) }
    val files = { name: String -> File(folder, name).inputStream() }
    val found = try {
        val verify = line["verify"]?.jsonPrimitive?.content != "false"
        val tagger = if (copies == null) Tagger.load(files, verify) else {
            Tagger.load(files, verify) { OrtModel.openFile(it.copyModel(copies))(it) }
        }
        val entities = tagger.use { one -> line["text"]?.let { one.tag(it.jsonPrimitive.content) }.orEmpty() }
        mapOf("entities" to array(entities.map { it.text }))
    } catch (error: BundleException) {
        check(error.message.orEmpty().endsWith(error.remedy) && error.remedy.length > 10)
        mapOf("error" to JsonPrimitive(error.code), "message" to JsonPrimitive(error.message))
    }
    OrtStub.inputNames = setOf("input_ids", "attention_mask")
    return JsonObject(found)
}

private fun readLines(file: File) = file.readLines().map(Json::parseToJsonElement)

private fun strings(values: JsonElement) = values.jsonArray.map { it.jsonPrimitive.content }

private fun <T> array(values: List<T>, element: (T) -> JsonElement = ::primitive) = JsonArray(values.map(element))

private fun primitive(value: Any?): JsonElement = when (value) {
    is Number -> JsonPrimitive(value)
    is String -> JsonPrimitive(value)
    is JsonElement -> value
    else -> JsonNull
}

private fun show(value: JsonElement) {
    val ascii = value.toString().map { if (it in ' '..'~') "$it" else "\\u" + it.code.toString(16).padStart(4, '0') }
    println(ascii.joinToString(""))
}
