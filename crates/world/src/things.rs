//! The kinds of thing a home holds and what is true of every thing of a kind: its name, its size, what its two
//! states are called, the rooms it belongs in. Shapes live in `shape`, positions in `home` and `timeline`.

use serde::{Deserialize, Serialize};

use crate::colour::Colour;

/// Number of a thing in its world; also the value in a frame's id plane. 0 is the building itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThingId(pub u16);

impl ThingId {
    /// Walls, floors and ceilings.
    pub const BUILDING: ThingId = ThingId(0);
    /// Whose eyes the camera is; never visible.
    pub const WEARER: ThingId = ThingId(1);
    /// The wearer's left hand.
    pub const LEFT_HAND: ThingId = ThingId(2);
    /// The wearer's right hand.
    pub const RIGHT_HAND: ThingId = ThingId(3);
    /// The arm behind the left hand.
    pub const LEFT_ARM: ThingId = ThingId(4);
    /// The arm behind the right hand.
    pub const RIGHT_ARM: ThingId = ThingId(5);
}

/// Left or right, as the wearer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The left.
    Left,
    /// The right.
    Right,
}

impl Side {
    /// The hand on this side.
    pub fn hand(self) -> ThingId {
        match self {
            Side::Left => ThingId::LEFT_HAND,
            Side::Right => ThingId::RIGHT_HAND,
        }
    }

    /// The arm on this side.
    pub fn arm(self) -> ThingId {
        match self {
            Side::Left => ThingId::LEFT_ARM,
            Side::Right => ThingId::RIGHT_ARM,
        }
    }
}

/// What a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "kind")]
#[allow(missing_docs)]
pub enum Kind {
    Building,
    Wearer,
    Hand(Side),
    Arm(Side),
    Person,
    Fixture(FixtureKind),
    Object(ObjectKind),
}

impl Kind {
    /// Names of the two states, the initial one first, for kinds that have them.
    pub fn states(self) -> Option<[&'static str; 2]> {
        match self {
            Kind::Fixture(kind) => kind.states(),
            Kind::Object(kind) => kind.states(),
            _ => None,
        }
    }

    /// Whether things of this kind have a side that anyone would call the front.
    pub fn has_front(self) -> bool {
        use FixtureKind as F;
        use ObjectKind as K;
        match self {
            Kind::Person => true,
            Kind::Fixture(kind) => !matches!(
                kind,
                F::Table
                    | F::CoffeeTable
                    | F::Bench
                    | F::FloorLamp
                    | F::Rug
                    | F::Window
                    | F::Doorway
                    | F::Bathtub
            ),
            Kind::Object(kind) => {
                matches!(kind, K::Laptop | K::Clock | K::Camera | K::Radio | K::TeddyBear | K::Backpack)
            }
            _ => false,
        }
    }
}

/// One entry of a world's catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thing {
    /// Its number.
    pub id: ThingId,
    /// What it is.
    pub kind: Kind,
    /// The noun, or a person's name.
    pub name: String,
    /// The colour it is named by, if any.
    pub colour: Option<Colour>,
    /// Width, depth and height in metres.
    pub size: [f32; 3],
}

impl Thing {
    /// How a person would refer to it: "the red cup", "Anna", "the kitchen" is not a thing.
    pub fn phrase(&self) -> String {
        match (self.kind, self.colour) {
            (Kind::Person, _) => self.name.clone(),
            (_, Some(colour)) => format!("the {} {}", colour.name(), self.name),
            _ => format!("the {}", self.name),
        }
    }
}

/// What a room is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RoomKind {
    Living,
    Kitchen,
    Bedroom,
    Bathroom,
    Study,
    Hall,
    Playroom,
}

impl RoomKind {
    /// The noun.
    pub fn name(self) -> &'static str {
        match self {
            RoomKind::Living => "living room",
            RoomKind::Kitchen => "kitchen",
            RoomKind::Bedroom => "bedroom",
            RoomKind::Bathroom => "bathroom",
            RoomKind::Study => "study",
            RoomKind::Hall => "hall",
            RoomKind::Playroom => "playroom",
        }
    }
}

/// Where an object of a kind may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bulk {
    /// On any surface.
    Small,
    /// On surfaces with room, or on the floor.
    Large,
    /// On the floor only.
    Floor,
}

macro_rules! kinds {
    ($(#[$meta:meta])* $name:ident { $($kind:ident),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)]
        pub enum $name { $($kind),* }

        impl $name {
            /// Every kind.
            pub const ALL: &[$name] = &[$($name::$kind),*];
        }
    };
}

kinds!(
    /// Movable things that a hand can hold.
    ObjectKind {
        Cup, Bowl, Plate, Bottle, Jar, Teapot, Kettle, Pan, Pot, PillBottle, Jug, CuttingBoard, Apple, Candle,
        Basket, Bucket, RollingPin, Book, Laptop, Phone, Remote, Clock, Camera, Radio, DeskLamp, Drill, Hammer,
        Scissors, Tape, Umbrella, Key, Dumbbell, Hat, Shoe, Backpack, Box, Vase, Plant, WateringCan, Ball,
        TeddyBear, ToyCar, Guitar, Trophy, RubberDuck,
    }
);

/// What is true of every object of a kind.
pub(crate) struct ObjectFacts {
    pub name: &'static str,
    pub bulk: Bulk,
    pub home: &'static [RoomKind],
    /// Names of its two states, the initial one first.
    pub states: Option<[&'static str; 2]>,
}

impl ObjectKind {
    /// The noun.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Names of the two states, the initial one first, for kinds that have them.
    pub fn states(self) -> Option<[&'static str; 2]> {
        self.facts().states
    }

    pub(crate) fn facts(self) -> ObjectFacts {
        use Bulk::{Floor, Large, Small};
        use ObjectKind as K;
        use RoomKind::{Bathroom, Bedroom, Hall, Kitchen, Living, Playroom, Study};
        const OPEN: Option<[&str; 2]> = Some(["closed", "open"]);
        const ON: Option<[&str; 2]> = Some(["off", "on"]);
        let (name, bulk, home, states): (_, _, &'static [RoomKind], _) = match self {
            K::Cup => ("cup", Small, &[Kitchen, Living, Study], None),
            K::Bowl => ("bowl", Small, &[Kitchen, Living], None),
            K::Plate => ("plate", Small, &[Kitchen, Living], None),
            K::Bottle => ("bottle", Small, &[Kitchen, Bathroom], None),
            K::Jar => ("jar", Small, &[Kitchen], None),
            K::Teapot => ("teapot", Small, &[Kitchen, Living], None),
            K::Kettle => ("kettle", Small, &[Kitchen], None),
            K::Pan => ("pan", Small, &[Kitchen], None),
            K::Pot => ("pot", Small, &[Kitchen], None),
            K::PillBottle => ("pill bottle", Small, &[Bathroom, Bedroom], None),
            K::Jug => ("jug", Small, &[Kitchen], None),
            K::CuttingBoard => ("cutting board", Small, &[Kitchen], None),
            K::Apple => ("apple", Small, &[Kitchen, Living], None),
            K::Candle => ("candle", Small, &[Living, Bathroom], None),
            K::Basket => ("basket", Large, &[Living, Bathroom, Hall], None),
            K::Bucket => ("bucket", Floor, &[Bathroom, Kitchen, Hall], None),
            K::RollingPin => ("rolling pin", Small, &[Kitchen], None),
            K::Book => ("book", Small, &[Living, Study, Bedroom], OPEN),
            K::Laptop => ("laptop", Small, &[Study, Living], OPEN),
            K::Phone => ("phone", Small, &[Bedroom, Living, Study], None),
            K::Remote => ("remote control", Small, &[Living], None),
            K::Clock => ("alarm clock", Small, &[Bedroom, Study], None),
            K::Camera => ("camera", Small, &[Study, Living], None),
            K::Radio => ("radio", Small, &[Kitchen, Bedroom, Living], None),
            K::DeskLamp => ("desk lamp", Small, &[Study, Bedroom], ON),
            K::Drill => ("drill", Small, &[Hall, Study], None),
            K::Hammer => ("hammer", Small, &[Hall, Study], None),
            K::Scissors => ("scissors", Small, &[Study, Kitchen], None),
            K::Tape => ("roll of tape", Small, &[Study, Hall], None),
            K::Umbrella => ("umbrella", Large, &[Hall], None),
            K::Key => ("key", Small, &[Hall, Living], None),
            K::Dumbbell => ("dumbbell", Large, &[Bedroom, Playroom], None),
            K::Hat => ("hat", Large, &[Hall, Bedroom], None),
            K::Shoe => ("shoe", Floor, &[Hall, Bedroom], None),
            K::Backpack => ("backpack", Floor, &[Hall, Bedroom, Study], None),
            K::Box => ("box", Large, &[Study, Hall, Playroom], OPEN),
            K::Vase => ("vase", Small, &[Living, Hall], None),
            K::Plant => ("plant", Small, &[Living, Study, Kitchen], None),
            K::WateringCan => ("watering can", Large, &[Kitchen, Bathroom, Living], None),
            K::Ball => ("ball", Floor, &[Playroom, Living, Bedroom], None),
            K::TeddyBear => ("teddy bear", Large, &[Playroom, Bedroom], None),
            K::ToyCar => ("toy car", Small, &[Playroom, Living], None),
            K::Guitar => ("guitar", Floor, &[Living, Study, Playroom], None),
            K::Trophy => ("trophy", Small, &[Study, Living], None),
            K::RubberDuck => ("rubber duck", Small, &[Bathroom, Playroom], None),
        };
        ObjectFacts { name, bulk, home, states }
    }
}

kinds!(
    /// Furniture and parts of the building that have names.
    FixtureKind {
        Counter, Stove, Fridge, Table, Chair, Sofa, CoffeeTable, Television, Bookshelf, Bed, Nightstand, Wardrobe,
        Desk, Armchair, Bathtub, Toilet, Washbasin, Dresser, FloorLamp, Piano, Fireplace, WashingMachine, Bench,
        ToyShelf, Rug, Picture, Window, Doorway, FrontDoor,
    }
);

/// What is true of every fixture of a kind.
pub(crate) struct FixtureFacts {
    pub name: &'static str,
    /// Width along the wall, depth, height.
    pub size: [f32; 3],
    pub colours: &'static [Colour],
    pub states: Option<[&'static str; 2]>,
    /// Resting places on it: x, y (front is +y), z, and whether a large object fits.
    pub slots: Vec<([f32; 3], bool)>,
}

impl FixtureKind {
    /// The noun.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Names of the two states, the initial one first, for kinds that have them.
    pub fn states(self) -> Option<[&'static str; 2]> {
        self.facts().states
    }

    pub(crate) fn facts(self) -> FixtureFacts {
        use Colour as C;
        use FixtureKind as F;
        const ON: Option<[&str; 2]> = Some(["off", "on"]);
        const OPEN: Option<[&str; 2]> = Some(["closed", "open"]);
        const TIMBER: &[Colour] = &[C::Brown, C::White, C::Grey, C::Black];
        const CLOTH: &[Colour] = &[
            C::Red,
            C::Orange,
            C::Yellow,
            C::Green,
            C::Cyan,
            C::Blue,
            C::Purple,
            C::Pink,
            C::Brown,
            C::Grey,
        ];
        let row = |n: usize, gap: f32, y: f32, z: f32, large: bool| -> Vec<([f32; 3], bool)> {
            (0..n).map(|i| ([(i as f32 - (n as f32 - 1.0) / 2.0) * gap, y, z], large)).collect()
        };
        let (name, size, colours, states, slots) = match self {
            F::Counter => ("counter", [2.0, 0.62, 0.9], TIMBER, None, row(4, 0.4, 0.08, 0.9, false)),
            F::Stove => (
                "stove",
                [0.62, 0.62, 0.9],
                &[C::White, C::Black, C::Grey][..],
                None,
                row(1, 0.3, 0.0, 0.91, false),
            ),
            F::Fridge => {
                ("fridge", [0.7, 0.68, 1.8], &[C::White, C::Grey, C::Red, C::Blue][..], OPEN, vec![])
            }
            F::Table => ("table", [1.4, 0.86, 0.75], TIMBER, None, {
                let mut both = row(3, 0.45, 0.24, 0.75, true);
                both.extend(row(3, 0.45, -0.24, 0.75, true));
                both
            }),
            F::Chair => ("chair", [0.44, 0.46, 0.92], CLOTH, None, row(1, 0.3, 0.04, 0.47, true)),
            F::Sofa => ("sofa", [1.9, 0.86, 0.8], CLOTH, None, row(3, 0.55, 0.12, 0.44, true)),
            F::CoffeeTable => {
                ("coffee table", [1.0, 0.56, 0.42], TIMBER, None, row(3, 0.33, 0.0, 0.42, false))
            }
            F::Television => ("television", [1.3, 0.42, 1.2], &[C::Black][..], ON, vec![]),
            F::Bookshelf => ("bookshelf", [1.0, 0.36, 1.75], TIMBER, None, {
                let mut all = row(2, 0.42, 0.03, 0.42, false);
                all.extend(row(2, 0.42, 0.03, 0.82, false));
                all.extend(row(2, 0.42, 0.03, 1.22, false));
                all
            }),
            F::Bed => ("bed", [1.5, 2.0, 0.95], CLOTH, None, row(2, 0.7, 0.55, 0.53, true)),
            F::Nightstand => ("nightstand", [0.5, 0.42, 0.56], TIMBER, None, row(1, 0.3, 0.03, 0.56, false)),
            F::Wardrobe => ("wardrobe", [1.2, 0.6, 1.95], TIMBER, OPEN, vec![]),
            F::Desk => ("desk", [1.3, 0.64, 0.74], TIMBER, None, row(3, 0.4, 0.08, 0.74, false)),
            F::Armchair => ("armchair", [0.88, 0.84, 0.88], CLOTH, None, row(1, 0.3, 0.1, 0.43, true)),
            F::Bathtub => ("bathtub", [1.6, 0.74, 0.56], &[C::White][..], None, vec![]),
            F::Toilet => ("toilet", [0.4, 0.66, 0.8], &[C::White][..], None, vec![]),
            F::Washbasin => (
                "washbasin",
                [0.9, 0.5, 0.86],
                &[C::White, C::Grey][..],
                None,
                row(2, 0.68, 0.02, 0.87, false),
            ),
            F::Dresser => ("dresser", [1.1, 0.48, 0.82], TIMBER, None, row(3, 0.35, 0.03, 0.82, false)),
            F::FloorLamp => ("floor lamp", [0.44, 0.44, 1.6], CLOTH, ON, vec![]),
            F::Piano => (
                "piano",
                [1.4, 0.6, 1.15],
                &[C::Black, C::Brown, C::White][..],
                None,
                row(2, 0.5, -0.08, 1.15, false),
            ),
            F::Fireplace => (
                "fireplace",
                [1.4, 0.4, 1.1],
                &[C::White, C::Grey, C::Brown][..],
                ON,
                row(3, 0.45, 0.0, 1.1, false),
            ),
            F::WashingMachine => {
                ("washing machine", [0.62, 0.62, 0.86], &[C::White][..], None, row(1, 0.3, 0.05, 0.86, false))
            }
            F::Bench => ("bench", [1.1, 0.4, 0.46], TIMBER, None, row(2, 0.5, 0.0, 0.46, true)),
            F::ToyShelf => ("toy shelf", [1.2, 0.4, 0.8], CLOTH, None, row(3, 0.38, 0.03, 0.8, false)),
            F::Rug => ("rug", [1.8, 1.3, 0.012], CLOTH, None, vec![]),
            F::Picture => ("picture", [0.7, 0.04, 0.55], CLOTH, None, vec![]),
            F::Window => ("window", [1.3, 0.06, 1.15], &[][..], None, vec![]),
            F::Doorway => ("doorway", [1.0, 0.16, 2.08], &[][..], None, vec![]),
            F::FrontDoor => ("front door", [0.95, 0.07, 2.05], CLOTH, None, vec![]),
        };
        FixtureFacts { name, size, colours, states, slots }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_are_unique_and_plenty() {
        let mut names: Vec<_> = ObjectKind::ALL.iter().map(|kind| kind.name()).collect();
        names.extend(FixtureKind::ALL.iter().map(|kind| kind.name()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(ObjectKind::ALL.len() >= 30);
    }
}
