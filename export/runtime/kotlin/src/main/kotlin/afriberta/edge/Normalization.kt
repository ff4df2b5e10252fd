package afriberta.edge

import java.text.Normalizer
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull

internal typealias Normalize = (String) -> String

private val FORMS = Normalizer.Form.entries.associateBy { it.name }
private val SPACES = Regex(" {2,}")

/**
 * The normalizer that tokenizer.json describes, of the kinds that XLM-R's tokenizers are made of.
 *
 * It is applied here as SentencePiece applies it: normalization.py of the Python runtime tells why.
 */
internal fun readNormalizer(specification: JsonElement?): Normalize {
    if (specification == null || specification is JsonNull) return { it }
    val kind = specification["type"].text
    FORMS[kind]?.let { form -> return { Composition.normalize(form, it) } }
    return when (kind) {
        "Sequence" -> {
            val steps = specification["normalizers"].items.map(::readNormalizer)
            return { steps.fold(it) { now, step -> step(now) } }
        }
        "Precompiled" -> CharacterMap(specification["precompiled_charsmap"].text.orEmpty())::apply
        "Strip" -> {
            val (left, right) = listOf("strip_left", "strip_right").map { specification[it].text == "true" }
            return { strip(it, left, right) }
        }
        "Replace" -> {
            require(specification["pattern"]["Regex"].text == SPACES.pattern) { "its normalizer replaces a pattern" }
            val content = specification["content"].text.orEmpty()
            return { text -> SPACES.replace(text) { content } }
        }
        else -> throw IllegalArgumentException("its normalizer $kind is none this runtime knows")
    }
}

/**
 * The same with composition first: text in NFD is then read like text in NFC (`composing` of encode.py).
 */
internal fun readComposingNormalizer(specification: JsonElement?): Normalize {
    val normalize = readNormalizer(specification)
    val sequence = specification["type"].text == "Sequence"
    val kinds = (if (sequence) specification["normalizers"].items else listOf(specification)).map { it["type"].text }
    if ("Precompiled" !in kinds || kinds[0] == "NFC" || kinds[0] == "NFKC") return normalize
    return { normalize(Composition.normalize(Normalizer.Form.NFC, it)) }
}

/** `text` without white space at its edges. */
private fun strip(text: String, left: Boolean, right: Boolean): String {
    fun isSpace(unit: Char) = Characters.classOf(unit.code) == 'S' // all white space is one unit long
    val from = if (left) text.indexOfFirst { !isSpace(it) } else 0
    val to = if (right) text.indexOfLast { !isSpace(it) } + 1 else text.length
    return if (from < 0 || from >= to) "" else text.substring(from, to)
}
