/*
 * What of Flash reaches the network and the microphone. A test's build has stand-ins for them, since
 * no runtime that a test can have does either; the film that is shipped has none.
 */
#if stand_in
typedef Connection = StandInConnection;
typedef Stream = StandInStream;
typedef Answer = StandInAnswer;
typedef Device = StandInMicrophone;
#else
typedef Connection = flash.net.NetConnection;
typedef Stream = flash.net.NetStream;
typedef Answer = flash.net.Responder;
typedef Device = flash.media.Microphone;
#end
