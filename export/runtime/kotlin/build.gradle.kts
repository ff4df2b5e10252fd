import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    id("org.jetbrains.kotlin.jvm") version "2.2.21"
}

java {
    sourceCompatibility = JavaVersion.VERSION_11
    targetCompatibility = JavaVersion.VERSION_11
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_11
    }
}

sourceSets {
    test {
        kotlin.srcDir("src/replay/kotlin") // the part of the test that runs on phones too
    }
}

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-serialization-json:1.9.0")
    // Compiled against only: whoever uses this brings the natives of their system.
    compileOnly("com.microsoft.onnxruntime:onnxruntime:1.27.0")
    testImplementation("com.microsoft.onnxruntime:onnxruntime:1.27.0")
    testImplementation(kotlin("test"))
}
