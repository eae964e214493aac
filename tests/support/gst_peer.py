#!/usr/bin/python3
"""A camera made of gst-rtsp-server, with a log of its own for the oracle.

    gst_peer.py MOUNTS.json

MOUNTS.json: a list of {"path": "/a", "clips": [CLIP…], "loops": n, "audio": ADTS file or null,
"g711": true for G.711 A-law where there is no "audio" (the sample at each tick of 8 kHz is `g711(tick)`),
"username", "password", "scheme": "basic"|"digest" (on all mounts or none), "delay_ms": n}. A CLIP is {"codec": "h264"|"h265",
"es": Annex B file, "aus": [[size, pts_90k, dts_90k, number]…] in decoding order, "fps": n}; with several clips the
mount shows each `loops` times in turn (a change of parameters in mid-stream), for ever.

Standard output, one JSON object a line: {"port": n}, then for each access unit
{"m": path, "n": number drawn, "p": pts in 90 kHz, "t": CLOCK_MONOTONIC in ns directly before it was pushed, "k": key}.
An access unit is pushed when it is due and its time stamp is already past for the pipeline, so no sink holds it back:
the push is the send. Ends when standard input closes.
"""
import json
import sys
import threading
import time

import gi
gi.require_version('Gst', '1.0')
gi.require_version('GstRtsp', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

Gst.init(None)


def g711(tick):
    return (tick * 7 + tick // 251) % 256


SECOND = 1_000_000_000
# How far the pipeline's clock is ahead of the stamps: nothing is ever early.
AHEAD = SECOND // 2
say_lock = threading.Lock()


def say(thing):
    with say_lock:
        sys.stdout.write(json.dumps(thing, separators=(',', ':')) + '\n')
        sys.stdout.flush()


def adts_frames(path):
    with open(path, 'rb') as f:
        data = f.read()
    frames, at = [], 0
    while at + 7 <= len(data):
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        frames.append(data[at:at + size])
        at += size
    return frames


class Clip:
    def __init__(self, told):
        self.codec = told['codec']
        self.fps = told['fps']
        with open(told['es'], 'rb') as f:
            data = f.read()
        self.aus, at = [], 0
        for size, pts, dts, number, key in told['aus']:
            self.aus.append((data[at:at + size], pts, dts, number, key))
            at += size
        self.ticks = len(self.aus) * 90000 // self.fps


class Mount(GstRtspServer.RTSPMediaFactory):
    def __init__(self, told):
        super().__init__()
        self.told = told
        self.clips = [Clip(c) for c in told['clips']]
        self.audio = None
        if told.get('audio'):
            # The encoder's first frame is its run-up: without it the second one starts at 0. A loop of
            # the sound is as long as one of the picture (the footage is a multiple of 16 s at 48 kHz).
            frames = self.clips[0].ticks * 48000 // 90000 // 1024
            self.audio = adts_frames(told['audio'])[1:1 + frames]
        self.set_shared(True)
        self.set_latency(0)

    def do_create_element(self, url):
        codec = self.clips[0].codec
        launch = (f'appsrc name=v is-live=true block=false max-bytes=0 format=time do-timestamp=false '
                  f'caps="video/x-{codec},stream-format=byte-stream,alignment=au" '
                  f'! {codec}parse ! rtp{codec}pay name=pay0 pt=96 config-interval=-1 ')
        if self.audio:
            launch += (' appsrc name=a is-live=true block=false max-bytes=0 format=time do-timestamp=false '
                       'caps="audio/mpeg,mpegversion=4,stream-format=adts" ! aacparse ! rtpmp4gpay name=pay1 pt=97')
        elif self.told.get('g711'):
            launch += (' appsrc name=a is-live=true block=false max-bytes=0 format=time do-timestamp=false '
                       'caps="audio/x-alaw,rate=8000,channels=1" ! rtppcmapay name=pay1 pt=8')
        return Gst.parse_launch('( ' + launch + ' )')

    def do_configure(self, media):
        element = media.get_element()
        find = element.get_by_name_recurse_up if hasattr(element, 'get_by_name_recurse_up') else element.get_by_name
        state = {'live': True}
        media.connect('unprepared', lambda *_: state.update(live=False))
        # One instant for both tracks: stamp 0 is AHEAD of the pipeline's now.
        started = threading.Event()
        base = {}

        def begin(source):
            if not started.is_set():
                clock = source.get_clock()
                if clock is None:
                    return False
                running = clock.get_time() - source.get_base_time()
                base['mono'] = time.monotonic_ns() + AHEAD + SECOND // 5
                base['stamp'] = running + SECOND // 5
                started.set()
            return True

        video, audio = find('v'), find('a')
        threading.Thread(target=self.feed_video, args=(video, state, begin, base), daemon=True).start()
        if self.audio or self.told.get('g711'):
            threading.Thread(target=self.feed_audio, args=(audio, state, begin, base), daemon=True).start()

    def wait_for_start(self, source, state, begin):
        while state['live']:
            if source.current_state == Gst.State.PLAYING and begin(source):
                return True
            time.sleep(0.005)
        return False

    def push(self, source, data, base, pts_ns, dts_ns, note):
        due = base['mono'] + dts_ns + self.told.get('delay_ms', 0) * 1_000_000
        pause = due - time.monotonic_ns()
        if pause > 0:
            time.sleep(pause / 1e9)
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = base['stamp'] + pts_ns
        buffer.dts = base['stamp'] + dts_ns
        if note is not None:
            say({**note, 't': time.monotonic_ns()})
        return source.emit('push-buffer', buffer) == Gst.FlowReturn.OK

    def feed_video(self, source, state, begin, base):
        if not self.wait_for_start(source, state, begin):
            return
        shift, turn = 0, 0
        while True:
            clip = self.clips[turn % len(self.clips)]
            for _ in range(self.told.get('loops', 1)):
                for data, pts, dts, number, key in clip.aus:
                    note = {'m': self.told['path'], 'n': number, 'p': shift + pts, 'k': key}
                    ns = [(shift + t) * SECOND // 90000 for t in (pts, dts)]
                    if not self.push(source, data, base, ns[0], ns[1], note) or not state['live']:
                        return
                shift += clip.ticks
            turn += 1

    def feed_audio(self, source, state, begin, base):
        if not self.wait_for_start(source, state, begin):
            return
        n = 0
        while state['live']:
            if self.audio:
                ns, data = n * 1024 * SECOND // 48000, self.audio[n % len(self.audio)]
            else:
                ns, data = n * 20_000_000, bytes(g711(tick) for tick in range(n * 160, (n + 1) * 160))
            if not self.push(source, data, base, ns, ns, None):
                return
            n += 1


def logins(server, told):
    """Passwords for the mounts that want one."""
    with_login = [m for m in told if m.get('username')]
    if not with_login:
        return
    auth = GstRtspServer.RTSPAuth()
    methods = GstRtsp.RTSPAuthMethod.DIGEST
    if any(m.get('scheme') == 'basic' for m in with_login):
        methods = GstRtsp.RTSPAuthMethod.BASIC
    auth.set_supported_methods(methods)
    for m in with_login:
        role = 'role' + m['path'].strip('/')
        token = GstRtspServer.RTSPToken()
        token.set_string('media.factory.role', role)
        if m.get('scheme') == 'basic':
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(m['username'], m['password']), token)
        else:
            auth.add_digest(m['username'], m['password'], token)
    server.set_auth(auth)


def permit(factory, told):
    permissions = GstRtspServer.RTSPPermissions()
    role = 'role' + told['path'].strip('/')
    permissions.add_permission_for_role(role, 'media.factory.access', True)
    permissions.add_permission_for_role(role, 'media.factory.construct', True)
    factory.set_permissions(permissions)


def main():
    with open(sys.argv[1]) as f:
        told = json.load(f)
    server = GstRtspServer.RTSPServer()
    server.set_address('127.0.0.1')
    server.set_service('0')
    logins(server, told)
    guarded = any(m.get('username') for m in told)
    # This server asks for a password on all mounts or on none.
    assert guarded == all(m.get('username') for m in told)
    for mount in told:
        factory = Mount(mount)
        if guarded:
            permit(factory, mount)
        server.get_mount_points().add_factory(mount['path'], factory)
    server.attach(None)
    say({'port': server.get_bound_port()})
    loop = GLib.MainLoop()

    def leave():
        sys.stdin.read()
        loop.quit()
    threading.Thread(target=leave, daemon=True).start()
    loop.run()


main()
