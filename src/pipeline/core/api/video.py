"""Events of videos: playback, content, ads. https://docs.customer.io/integrations/api/cdp/video/."""

from typing import ClassVar, Final, Literal

from pipeline.core.api.common import API, Boolean, FreeObject, Integer, Named, Timestamp
from pipeline.core.api.events import Event

AdType = Literal["pre-roll", "mid-roll", "post-roll"]


class Session(Named):
    """What a player does: the properties of all playback events."""

    session_id: str | None = None
    ad_asset_id: str | None = None
    ad_pod_id: str | None = None
    ad_type: AdType | None = None
    position: Integer | None = None
    """In seconds from the start."""
    total_length: Integer | None = None
    bitrate: Integer | None = None
    framerate: Integer | None = None
    video_player: str | None = None
    sound: Integer | None = None
    """Loudness in percent."""
    full_screen: Boolean | None = None
    ad_enabled: Boolean | None = None
    quality: str | None = None
    livestream: Boolean | None = None


class SessionStart(Session):
    """Playback of everything that was planned for it."""

    content_asset_ids: tuple[str, ...] | None = None
    content_pod_ids: tuple[str, ...] | None = None


class Playback(Session):
    """Playback of one asset."""

    content_asset_id: str | None = None
    content_pod_id: str | None = None


class Interruption(Playback):
    """Playback that something stopped."""

    method: str | None = None
    """What stopped it."""


class Content(Named):
    """What is shown."""

    session_id: str | None = None
    asset_id: str | None = None
    pod_id: str | None = None
    program: str | None = None
    title: str | None = None
    description: str | None = None
    season: str | None = None
    position: Integer | None = None
    total_length: Integer | None = None
    genre: str | None = None
    publisher: str | None = None
    channel: str | None = None
    full_episode: Boolean | None = None
    livestream: Boolean | None = None
    airdate: Timestamp | None = None
    bitrate: Integer | None = None
    framerate: Integer | None = None
    keywords: tuple[str, ...] | None = None


class Ad(Named):
    """An ad before, within or after the content."""

    session_id: str | None = None
    asset_id: str | None = None
    pod_id: str | None = None
    pod_position: Integer | None = None
    pod_length: Integer | None = None
    type: AdType | None = None
    title: str | None = None
    position: Integer | None = None
    total_length: Integer | None = None
    publisher: str | None = None
    load_type: Literal["dynamic", "linear"] | None = None
    content: FreeObject | None = None
    """The content around it."""
    quartile: Integer | None = None


class Quality(Named):
    """How well it plays. Two names are the wire's own."""

    bitrate: Integer | None = None
    framerate: Integer | None = None
    startupTime: Integer | None = None  # noqa: N815
    droppedFrames: Integer | None = None  # noqa: N815


class VideoEvent(Event):
    """Something happened to a video."""

    vocabulary: ClassVar[str] = "Video"
    page: ClassVar[str] = f"{API}video/"


class VideoPlaybackStarted(VideoEvent):
    """Somebody pressed play."""

    event: Literal["Video Playback Started"] = "Video Playback Started"
    properties: SessionStart | None = None


class VideoPlaybackPaused(VideoEvent):
    """Somebody paused."""

    event: Literal["Video Playback Paused"] = "Video Playback Paused"
    properties: Playback | None = None


class VideoPlaybackInterrupted(VideoEvent):
    """Something stopped the playback: an error, the network, buffering."""

    event: Literal["Video Playback Interrupted"] = "Video Playback Interrupted"
    properties: Interruption | None = None


class VideoPlaybackBufferStarted(VideoEvent):
    """Buffering began."""

    event: Literal["Video Playback Buffer Started"] = "Video Playback Buffer Started"
    properties: Playback | None = None


class VideoPlaybackBufferCompleted(VideoEvent):
    """Buffering ended."""

    event: Literal["Video Playback Buffer Completed"] = "Video Playback Buffer Completed"
    properties: Playback | None = None


class VideoPlaybackSeekStarted(VideoEvent):
    """Somebody began to look for another position."""

    event: Literal["Video Playback Seek Started"] = "Video Playback Seek Started"
    properties: Playback | None = None


class VideoPlaybackSeekCompleted(VideoEvent):
    """Somebody found another position."""

    event: Literal["Video Playback Seek Completed"] = "Video Playback Seek Completed"
    properties: Playback | None = None


class VideoPlaybackResumed(VideoEvent):
    """Somebody went on after a pause."""

    event: Literal["Video Playback Resumed"] = "Video Playback Resumed"
    properties: Playback | None = None


class VideoPlaybackCompleted(VideoEvent):
    """The playback came to its end."""

    event: Literal["Video Playback Completed"] = "Video Playback Completed"
    properties: Playback | None = None


class VideoPlaybackExited(VideoEvent):
    """Somebody left the playback."""

    event: Literal["Video Playback Exited"] = "Video Playback Exited"
    properties: Playback | None = None


class VideoContentStarted(VideoEvent):
    """Content began within a playback."""

    event: Literal["Video Content Started"] = "Video Content Started"
    properties: Content | None = None


class VideoContentPlaying(VideoEvent):
    """A sign of life while content plays."""

    event: Literal["Video Content Playing"] = "Video Content Playing"
    properties: Content | None = None


class VideoContentCompleted(VideoEvent):
    """Content came to its end."""

    event: Literal["Video Content Completed"] = "Video Content Completed"
    properties: Content | None = None


class VideoAdStarted(VideoEvent):
    """An ad began within a playback."""

    event: Literal["Video Ad Started"] = "Video Ad Started"
    properties: Ad | None = None


class VideoAdPlaying(VideoEvent):
    """A sign of life while an ad plays."""

    event: Literal["Video Ad Playing"] = "Video Ad Playing"
    properties: Ad | None = None


class VideoAdCompleted(VideoEvent):
    """An ad came to its end."""

    event: Literal["Video Ad Completed"] = "Video Ad Completed"
    properties: Ad | None = None


class VideoQualityUpdated(VideoEvent):
    """The quality of the playback changed."""

    event: Literal["Video Quality Updated"] = "Video Quality Updated"
    properties: Quality | None = None


VIDEO: Final[tuple[type[Event], ...]] = (
    VideoPlaybackStarted,
    VideoPlaybackPaused,
    VideoPlaybackInterrupted,
    VideoPlaybackBufferStarted,
    VideoPlaybackBufferCompleted,
    VideoPlaybackSeekStarted,
    VideoPlaybackSeekCompleted,
    VideoPlaybackResumed,
    VideoPlaybackCompleted,
    VideoPlaybackExited,
    VideoContentStarted,
    VideoContentPlaying,
    VideoContentCompleted,
    VideoAdStarted,
    VideoAdPlaying,
    VideoAdCompleted,
    VideoQualityUpdated,
)
