cask "tacet" do
  version "@VERSION@"
  sha256 "@SHA256@"

  # Lies beside this file. A release's address and homepage belong here once there is one.
  url "file://#{__dir__}/tacet-#{version}-macos-arm64.zip"
  name "Tacet"
  desc "Removes noise from speech in real time"

  depends_on arch: :arm64
  depends_on macos: ">= :big_sur"

  folder = "tacet-#{version}-macos-arm64"
  app "#{folder}/Tacet.app"
  audio_unit_plugin "#{folder}/Tacet.component"
  vst3_plugin "#{folder}/Tacet.vst3"
  binary "#{folder}/tacet"
  artifact "#{folder}/Tacet.clap", target: "#{Dir.home}/Library/Audio/Plug-Ins/CLAP/Tacet.clap"
end
