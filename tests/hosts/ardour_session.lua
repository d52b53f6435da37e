-- Run by ardour.py in Ardour's own interpreter, without a window and without an audio device.
--
--   make DIR NAME                   a session with a stereo track that has the plugin
--   export DIR NAME LIMIT TO LENGTH the first LENGTH samples of it as 32-bit float, at an attenuation limit of LIMIT dB

local command, dir, name = arg[1], arg[2], arg[3]

local function make()
  local session = assert(create_session(dir, name, 48000))
  local order, mode = ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal
  local track = session:new_audio_track(2, 2, nil, 1, "voice", order, mode, true):front()
  local plugin = ARDOUR.LuaAPI.new_plugin(session, "Tacet", ARDOUR.PluginType.VST3, "")
  assert(not plugin:isnil(), "Ardour does not make the plugin that it has scanned")
  assert(track:add_processor_by_index(plugin, 0, nil, true) == 0, "the track does not take the plugin")
  print("latency " .. plugin:to_insert():signal_latency())
  session:save_state("", false, false, false, false)
  close_session()
end

local function export()
  local session = assert(load_session(dir, name))
  local plugin
  for route in session:get_routes():iter() do
    if route:name() == "voice" then plugin = route:nth_plugin(0) end
  end
  assert(plugin and not plugin:isnil(), "the plugin is not in the session any more")
  assert(plugin:to_insert():plugin(0):name() == "Tacet", "the session has another plugin")
  -- The first parameter.
  assert(ARDOUR.LuaAPI.set_processor_param(plugin, 0, tonumber(arg[4])), "the attenuation limit cannot be set")
  local export = session:simple_export()
  assert(export:set_preset("5a0f2a0e-0b8e-4c1e-9d49-7ac3d2b1f001"), "the export's preset is not there")
  export:set_folder(arg[5])
  export:set_name("out")
  export:set_range(0, tonumber(arg[6]))
  assert(export:run_export(), "the export failed")
end

if command == "make" then make() else export() end
print("done")
-- Closing a session that has exported ends, now and then, in memory that Ardour has corrupted, with plugins or without.
os.exit(0)
