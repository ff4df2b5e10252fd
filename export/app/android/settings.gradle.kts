pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "afriberta-edge-sample"
include(":app", ":tagger")

// The tagger of this repository; a copy of the sample elsewhere takes its bundle's: -Ptagger=BUNDLE/runtime/kotlin
project(":tagger").projectDir = file(providers.gradleProperty("tagger").getOrElse("../../runtime/kotlin"))
